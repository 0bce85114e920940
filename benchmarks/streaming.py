"""How soon verdicts come while an answer is written, and what checking a long one costs.

    python benchmarks/streaming.py

Tokens come as fast as they are taken, so that only our own time is counted. The delay is that between the token which
completes a sentence, the first word of the next one, and its verdict, in time of the processor, so that a busy machine
does not count.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator

from grounded.records import VerdictEvent
from grounded.verification import Verifier, verify, verify_stream

SEED = 7
WORDS = [
    "kettle",
    "warranty",
    "lasts",
    "months",
    "delivery",
    "returns",
    "take",
    "days",
    "express",
    "costs",
    "euros",
    "handle",
    "boils",
    "water",
]
RUNS = 20


def sentence(random_words: random.Random) -> str:
    """Fourteen words and a number."""
    return " ".join(["The", *random_words.choices(WORDS, k=14), str(random_words.randint(2, 90))]) + "."


def tokens(text: str) -> Iterator[str]:
    """A word at a time."""
    for word in text.split(" "):
        yield word + " "


def first_verdict(sources: list[str], answer: str, *, hold: bool) -> float:
    """Seconds of this thread from the word after the first sentence to its verdict."""
    completed = 0.0

    def timed() -> Iterator[str]:
        nonlocal completed
        seen = 0
        for token in tokens(answer):
            seen += "." in token
            if seen and not completed and "." not in token:
                completed = time.thread_time()
            yield token

    for event in verify_stream(timed(), sources, hold=hold):
        if isinstance(event, VerdictEvent):
            return time.thread_time() - completed
    raise AssertionError("there is a sentence to judge")


def main() -> None:
    """Print the figures."""
    random_words = random.Random(SEED)
    sources = [" ".join(sentence(random_words) for _ in range(13)) for _ in range(5)]
    answer = " ".join(random_words.choice(sources).split(". ")[0] + "." for _ in range(5))
    Verifier()
    for hold in (False, True):
        delays = sorted(first_verdict(sources, answer, hold=hold) for _ in range(RUNS))
        print(
            f"first verdict after its sentence, hold={hold}: median {1000 * statistics.median(delays):.1f} ms, "
            f"worst of {RUNS} {1000 * delays[-1]:.1f} ms"
        )
    for count in (50, 200):  # in paragraphs of ten
        long = " ".join(sentence(random_words) + "\n\n" * (n % 10 == 9) for n in range(count))
        started = time.process_time()
        for _ in verify_stream(tokens(long), sources):
            pass
        streamed = time.process_time() - started
        started = time.process_time()
        verify(long, sources)
        whole = time.process_time() - started
        print(f"{count} sentences ({len(long)} characters): streamed {streamed:.2f} s of CPU, at once {whole:.2f} s")


if __name__ == "__main__":
    main()
