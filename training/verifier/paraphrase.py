"""Paraphrases sentences by translating them to French and back, and says which of the results can be trusted.

    python paraphrase.py work/sentences.txt --there en_fr --back fr_en --out work/paraphrases.jsonl [--count 12000]

``--there`` and ``--back`` are opus-mt models converted for CTranslate2 (the README says how). Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from pathlib import Path

import ctranslate2
import sentencepiece

BATCH = 64
SPARE = 0.25
"""How much less likely per token than the best a translation may be, to be taken because its words differ more."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]+")
_NOT = re.compile(r"\b(?:not|no|never|neither|nor|none|without|cannot|nothing|nobody|hardly|unless)\b|n't\b")


class Translator:
    """One direction."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._model = ctranslate2.Translator(str(folder), device="cpu", intra_threads=threads, compute_type="int8")
        self._source = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
        self._target = sentencepiece.SentencePieceProcessor(model_file=str(folder / "target.spm"))

    def __call__(self, texts: list[str], *, hypotheses: int) -> list[list[tuple[str, float]]]:
        """For every text its translations with their log likelihoods per token, best first."""
        tokens = [[*self._source.encode(text, out_type=str), "</s>"] for text in texts]
        found = self._model.translate_batch(
            tokens, beam_size=max(2, hypotheses), num_hypotheses=hypotheses, return_scores=True, max_batch_size=BATCH
        )
        return [
            [(self._target.decode(one), score) for one, score in zip(each.hypotheses, each.scores, strict=True)]
            for each in found
        ]


def trusted(text: str, other: str) -> bool:
    """Whether numbers, names and negations agree, and neither is much longer."""
    alike = all(Counter(part.findall(text)) == Counter(part.findall(other)) for part in (_NUMBER, _NAME))
    negated = len(_NOT.findall(text.lower())) == len(_NOT.findall(other.lower()))
    return alike and negated and 0.7 < len(other) / len(text) < 1.4


def difference(text: str, other: str) -> float:
    """The share of words that the two do not have in common, in [0, 1]."""
    mine, theirs = (set(re.findall(r"\w+", one.lower())) for one in (text, other))
    return 1 - len(mine & theirs) / max(1, len(mine | theirs))


def chosen(text: str, translations: list[tuple[str, float]]) -> tuple[str, float, bool]:
    """The translation whose words differ most among the trusted ones that are nearly as likely as the best."""
    best = translations[0][1]
    fit = [one for one in translations if one[1] > best - SPARE and trusted(text, one[0])]
    if not fit:
        return (*translations[0], False)
    other, score = max(fit, key=lambda one: difference(text, one[0]))
    return other, score, difference(text, other) > 0.1


def main() -> None:
    """Paraphrase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path, help="one sentence a line")
    parser.add_argument("--there", type=Path, required=True)
    parser.add_argument("--back", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    there, back = (Translator(folder, options.threads) for folder in (options.there, options.back))
    lines = options.sentences.read_text(encoding="utf-8").split("\n")[: options.count]
    done = sum(1 for _ in options.out.open(encoding="utf-8")) if options.out.exists() else 0
    started, begun = time.time(), done
    with options.out.open("a", encoding="utf-8") as out:
        while done < len(lines):
            batch = lines[done : done + 4 * BATCH]
            french = [each[0][0] for each in there(batch, hypotheses=1)]
            for number, (text, each) in enumerate(zip(batch, back(french, hypotheses=4), strict=True), done):
                other, score, ok = chosen(text, each)
                out.write(json.dumps({"n": number, "para": other, "score": score, "ok": ok}) + "\n")
            out.flush()
            done += len(batch)
            speed = (done - begun) / (time.time() - started)
            print(f"{done} of {len(lines)}, {speed:.1f} a second", flush=True)


if __name__ == "__main__":
    main()
