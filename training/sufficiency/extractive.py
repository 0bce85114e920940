"""How often the quoted sentences hold the answer: XQuAD English questions whose paragraph was retrieved.

python training/sufficiency/extractive.py --data ../shared/data [--lexical]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cases import xquad

from grounded.answering.extractive import ExtractiveGenerator
from grounded.protocols import Embedder
from grounded.records import Budget, Prompt, TemplateRef


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--cache", default=".cache/sufficiency")
    parser.add_argument("--every", type=int, default=3, help="take one question in so many")
    parser.add_argument("--lexical", action="store_true", help="without the embedder")
    options = parser.parse_args()
    embedder: Embedder | None = None
    if not options.lexical:
        from grounded.models.embedder import default_embedder

        embedder = default_embedder()
    budget = Budget(limit=1, reserved=0, parts={}, exact=True, encoding="none")
    template = TemplateRef(name="none", version="0", hash="")
    cases = [c for c in xquad(Path(options.data) / "retrieval", embedder, Path(options.cache)) if c.label == 1][
        :: options.every
    ]
    for count in (1, 3):
        generator = ExtractiveGenerator(similarity=_similarity(embedder), max_sentences=count)
        hits, lengths = [], []
        for case in cases:
            prompt = Prompt(
                messages=(), passages=case.passages, question=case.question, budget=budget, template=template, nonce=""
            )
            text = generator.generate(prompt).text
            hits.append(any(" ".join(answer.split()) in text for answer in case.answers))
            lengths.append(text.count(" ["))
        print(f"at most {count}: answer quoted {np.mean(hits):.3f} of n={len(hits)}; {np.mean(lengths):.2f} sentences")


def _similarity(embedder: Embedder | None):  # type: ignore[no-untyped-def]
    if embedder is None:
        return None

    def similarity(question: str, texts: Sequence[str]) -> Sequence[float]:
        return [float(value) for value in embedder.embed_documents(texts) @ embedder.embed_query(question)]

    return similarity


if __name__ == "__main__":
    main()
