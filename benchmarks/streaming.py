"""How soon verdicts come while an answer is written, and what checking a long one costs.

    python benchmarks/streaming.py

Tokens come as fast as they are taken, so that only our own time is counted. The delay is that between the token which
completes a sentence, the first word of the next one, and its verdict: processor time of all threads, so that a busy
machine does not count, and the clock beside it. It is taken for sentences that the rules decide and for those in other
words, which the network reads. In a ``new process`` the network has to be loaded, which begins when the stream does;
there a word comes every tenth of a second, as from a model.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from grounded.records import VerdictEvent
from grounded.verification import verify, verify_stream

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
LIMIT = 150
"""Milliseconds after its sentence within which the first verdict is to come."""
PACE = 0.1
"""Seconds between two words in a new process."""
IN_OTHER_WORDS = (
    "Boiling is done by the kettle in no time at all, and nobody waits. Sending it back is a matter of days."
)


def sentence(random_words: random.Random) -> str:
    """Fourteen words and a number."""
    return " ".join(["The", *random_words.choices(WORDS, k=14), str(random_words.randint(2, 90))]) + "."


def tokens(text: str) -> Iterator[str]:
    """A word at a time."""
    for word in text.split(" "):
        yield word + " "


def first_verdict(sources: list[str], answer: str, *, hold: bool, pace: float = 0.0) -> tuple[float, float]:
    """Milliseconds of processor and clock from the word after the first sentence to its verdict."""
    completed: tuple[float, float] | None = None

    def timed() -> Iterator[str]:
        nonlocal completed
        seen = 0
        for token in tokens(answer):
            time.sleep(pace)
            seen += "." in token
            if seen and completed is None and "." not in token:
                completed = time.process_time(), time.perf_counter()
            yield token

    for event in verify_stream(timed(), sources, hold=hold):
        if isinstance(event, VerdictEvent) and completed is not None:
            return 1000 * (time.process_time() - completed[0]), 1000 * (time.perf_counter() - completed[1])
    raise AssertionError("there is a sentence to judge")


def line(what: str, delays: Sequence[tuple[float, float]]) -> str:
    """Median and worst of both clocks."""
    spent, waited = (sorted(each) for each in zip(*delays, strict=True))
    return (
        f"- {what}: processor {statistics.median(spent):.0f} ms (worst {spent[-1]:.0f}), "
        f"clock {statistics.median(waited):.0f} ms (worst {waited[-1]:.0f}); limit {LIMIT} ms"
    )


def main() -> None:
    """Print the figures."""
    random_words = random.Random(SEED)
    sources = [" ".join(sentence(random_words) for _ in range(13)) for _ in range(5)]
    quoted = " ".join(random_words.choice(sources).split(". ")[0] + "." for _ in range(5))
    if sys.argv[1:] == ["--once"]:
        print(*first_verdict(sources, IN_OTHER_WORDS, hold=False, pace=PACE))
        return
    once = [sys.executable, __file__, "--once"]
    runs = [subprocess.run(once, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    print(line("in other words, new process", [(float(spent), float(waited)) for spent, waited in runs]))
    for what, answer in (("in other words", IN_OTHER_WORDS), ("decided by rules", quoted)):
        for hold in (False, True):
            delays = [first_verdict(sources, answer, hold=hold) for _ in range(RUNS)]
            print(line(f"{what}, hold={hold}", delays))
    for count in (50, 200):  # in paragraphs of ten
        long = " ".join(sentence(random_words) + "\n\n" * (n % 10 == 9) for n in range(count))
        started = time.process_time()
        for _ in verify_stream(tokens(long), sources):
            pass
        streamed = time.process_time() - started
        started = time.process_time()
        verify(long, sources)
        whole = time.process_time() - started
        print(f"- {count} sentences ({len(long)} characters): streamed {streamed:.2f} s of CPU, at once {whole:.2f} s")


if __name__ == "__main__":
    main()
