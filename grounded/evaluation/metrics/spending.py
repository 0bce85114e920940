"""What an answer takes: time, tokens and money."""

from __future__ import annotations

from grounded.evaluation.metrics.base import Found, Measure, Sample, metric


def latency() -> Measure:
    """Seconds for an answer."""

    @metric("latency", "Latency", high=None, better="lower", unit="seconds", needs=("passages",), repeatable=False)
    def measured(sample: Sample) -> Found:
        """Seconds from question to checked answer when it was first made; the cache keeps that figure."""
        return sample.seconds

    return measured


def input_tokens() -> Measure:
    """Tokens read by the model."""

    @metric("input_tokens", "Input tokens", high=None, better="lower", unit="tokens", needs=("usage",))
    def measured(sample: Sample) -> Found:
        """Tokens of the prompt as the provider counted them, else as the prompt's own account says."""
        if sample.answer is None:
            return None
        if sample.answer.usage.input_tokens is not None:
            return sample.answer.usage.input_tokens, "Counted by the provider."
        return (sample.answer.prompt.budget.used, "Counted here.") if sample.answer.prompt else None

    return measured


def output_tokens() -> Measure:
    """Tokens written by the model."""

    @metric("output_tokens", "Output tokens", high=None, better="lower", unit="tokens", needs=("usage",))
    def measured(sample: Sample) -> Found:
        """Tokens of the answer as the provider counted them; none where no model wrote."""
        return sample.answer.usage.output_tokens if sample.answer else None

    return measured


def cost() -> Measure:
    """Price of the model calls."""

    @metric("cost", "Cost", high=None, better="lower", unit="money", needs=("usage",))
    def measured(sample: Sample) -> Found:
        """Tokens times the prices given for the model."""
        return sample.cost

    return measured
