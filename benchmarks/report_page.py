"""How large the page of a long experiment is, and how much longer than a page of one row a browser takes to open it.

    python benchmarks/report_page.py [--rows 5000] [--runs 3]

The experiment is made up: two variants, real prompts and reports, a passage of 150 words for every row. Opening is the
wall time of headless Chromium until its document with the first rows is written out.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from grounded.records import Experiment, Passage
from grounded.render.evaluation import experiment_html
from tests.evaluation.made_up import experiment

WORDS_PER_PASSAGE = 150
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=8000",
    "--window-size=1280,900",
]


def large(rows: int) -> Experiment:
    """An experiment of so many rows, each with passages of its own."""
    draw = random.Random(1)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(4000)]
    texts = (" ".join(draw.choices(words, k=WORDS_PER_PASSAGE)) for _ in range(rows))
    passages = tuple(Passage.from_text(text, title=f"{n}.md", number=n) for n, text in enumerate(texts, start=1))
    made = experiment(rows)
    places = [(at, (at + 7) % rows, (at + 99) % rows) for at in range(rows)]
    trials = tuple(
        trial.model_copy(update={"passages": places[n // 2] if trial.passages else (), "retrieved": places[n // 2]})
        for n, trial in enumerate(made.trials)
    )
    return made.model_copy(update={"passages": passages, "trials": trials})


def opened(page: Path, browser: str, profile: Path) -> tuple[str, float]:
    """The document after the page's script has run, and the seconds that took."""
    command = [browser, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8"), time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    started = time.perf_counter()
    page = experiment_html(large(options.rows))
    print(f"{options.rows} rows: {len(page.encode()) / 1e6:.1f} MB, made in {time.perf_counter() - started:.0f} s")
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("chromium is not installed, so opening was not measured")
    with tempfile.TemporaryDirectory() as folder:
        files = {"one": Path(folder) / "one.html", "all": Path(folder) / "all.html"}
        files["one"].write_text(experiment_html(experiment(1)), "utf-8")
        files["all"].write_text(page, "utf-8")
        times: dict[str, list[float]] = {"one": [], "all": []}
        for _ in range(options.runs):
            for name, file in files.items():
                document, seconds = opened(file, browser, Path(folder) / "profile")
                assert re.search(r'data-ready="\d+"', document)
                times[name].append(seconds)
    one, every = (statistics.median(times[name]) for name in ("one", "all"))
    print(f"opening: {every:.1f} s, a page of one row {one:.1f} s, so {every - one:.1f} s for the rows")


if __name__ == "__main__":
    main()
