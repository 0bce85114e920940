"""The figures this release promises, measured on this machine.

    python benchmarks/figures.py

Prints one line per figure: name, measured value, limit. Whole processes for start-up, medians for calls.
"""

from __future__ import annotations

import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

REPEATS = 20
WORDS_PER_PASSAGE = 200


def milliseconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median wall time of a call after one warm-up."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def import_figures(statement: str) -> tuple[float, int]:
    """Median seconds of an import beyond a bare interpreter, and the modules there are after it."""
    code = f"import time, sys; t = time.perf_counter(); {statement}; print(time.perf_counter() - t, len(sys.modules))"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(9)]
    seconds, modules = zip(*(run.stdout.split() for run in runs), strict=True)
    return statistics.median(map(float, seconds)), int(modules[0])


def in_other_words() -> tuple[str, list[str]]:
    """Five claims that the rules leave to the network, and five passages of 200 words that speak of them."""
    draw = random.Random(1)
    words = [
        "price",
        "order",
        "part",
        "colour",
        "water",
        "heat",
        "day",
        "shop",
        "staff",
        "page",
        "of",
        "with",
        "the",
        "a",
        "for",
    ]
    topics = ("kettle", "toaster", "courier", "invoice", "garden")
    passages = []
    for number, topic in enumerate(topics, 3):
        filler = [" ".join(draw.choices([*words, topic], k=15)).capitalize() + "." for _ in range(12)]
        fact = f"The {topic} was checked by the staff in the morning and had a wide blue cover with {number} holes."
        filler.insert(draw.randrange(12), fact)
        passages.append(" ".join(filler))
    return " ".join(
        f"Staff looked at the {topic} before noon, and its blue cover is wide." for topic in topics
    ), passages


def main() -> None:
    """Measure and print."""
    print(f"# {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.machine()}")
    seconds, modules = import_figures("import grounded")
    line("import grounded", f"{seconds:.3f} s", "0.2 s")
    line("modules after import", str(modules), "250")
    seconds, _ = import_figures("from grounded import KnowledgeBase, verify")
    line("from grounded import KnowledgeBase, verify", f"{seconds:.3f} s", "-")

    from grounded import KnowledgeBase, build_prompt, verify
    from grounded.demo import handbook

    passages = [
        f"Rule {n}. " + "The warranty of the kettle covers faults in material and the heating element. " * 16
        for n in range(5)
    ]
    passages[2] += "The warranty on kettles lasts 36 months from the day of delivery."
    answer = (
        "The warranty on kettles lasts 36 months from the day of delivery [3]. It covers faults in material [1]. "
        "Express delivery costs 9 euros. The seal of the lid is made of silver. "
        "The kettle covers the heating element [2]."
    )
    line(
        "verify, 5 sentences x 5 passages of 200 words",
        f"{milliseconds(lambda: verify(answer, passages)):.1f} ms",
        "20 ms",
    )
    told, sources = in_other_words()
    line("the same, said in other words", f"{milliseconds(lambda: verify(told, sources)):.0f} ms", "250 ms")
    question = "How long is the warranty?"
    from grounded.records import Passage

    twenty = [Passage.from_text(passages[0][: 6 * WORDS_PER_PASSAGE], number=n) for n in range(20)]
    render = milliseconds(lambda: build_prompt(question, twenty, window=32_000))
    line("prompt with 20 passages, exact counts", f"{render:.1f} ms", "5 ms")
    render = milliseconds(lambda: build_prompt(question, twenty, window=32_000, spotlight="datamark"))
    line("the same, datamarked", f"{render:.1f} ms", "5 ms")
    render = milliseconds(lambda: build_prompt(question, twenty, window=64_000, spotlight="encode"))
    line("the same, encoded", f"{render:.1f} ms", "5 ms")

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with KnowledgeBase.open(Path(folder) / "kb", create=True) as kb:
            kb.ingest(handbook())
            line("open, load the model, ingest the handbook", f"{time.perf_counter() - started:.1f} s", "-")
            line("search", f"{milliseconds(lambda: kb.search(question)):.1f} ms", "15 ms")
            line("ask with quotes", f"{milliseconds(lambda: kb.ask(question)):.1f} ms", "-")
        started = time.perf_counter()
        KnowledgeBase.open(Path(folder) / "kb").close()
        line("reopen", f"{time.perf_counter() - started:.2f} s", "1 s")


def line(name: str, measured: str, limit: str) -> None:
    """One row of the table."""
    print(f"{name:<50} {measured:>10}   limit {limit}")


if __name__ == "__main__":
    main()
