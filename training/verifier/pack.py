"""Pairs as numbers: what a machine that trains needs, and nothing else but torch.

    python pack.py work/synthetic.jsonl --tokenizer gte-small/tokenizer.json --out work/synthetic.npz

``[CLS] claim [SEP] context [SEP]``, the context cut to fit. A file holds ``ids`` of all pairs end to end, ``wrong``
beside them (1: a word the context does not carry, 0: one it does, -1: not learned from), and for each pair ``length``,
``claim`` (tokens up to and with the first [SEP]), ``label`` (an index of ``LABELS``, -1: only a teacher knows) and
``kind``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from network import CLAIM_TOKENS, LABELS, MAX_TOKENS
from pairs import Pair, drawn, load

FIRST, LAST = 101, 102
"""[CLS] and [SEP] in BERT's vocabulary."""
AT_ONCE = 20_000


def packed(pairs: Iterable[Pair], tokenizer: Path) -> dict[str, np.ndarray]:
    """The arrays of a file."""
    from tokenizers import Tokenizer

    reader = Tokenizer.from_file(str(tokenizer))
    reader.no_padding()
    reader.no_truncation()
    pairs = list(pairs)
    kinds = sorted({pair.kind for pair in pairs})
    ids: list[np.ndarray] = []
    wrong: list[np.ndarray] = []
    rows: list[tuple[int, int, int, int]] = []
    for at in range(0, len(pairs), AT_ONCE):
        some = pairs[at : at + AT_ONCE]
        claims = reader.encode_batch([pair.claim for pair in some], add_special_tokens=False)
        texts = list(dict.fromkeys(pair.context for pair in some))
        known = dict(zip(texts, reader.encode_batch(texts, add_special_tokens=False), strict=True))
        for pair, claim in zip(some, claims, strict=True):
            mine = claim.ids[:CLAIM_TOKENS]
            theirs = known[pair.context].ids[: MAX_TOKENS - len(mine) - 3]
            marks = [
                int(any(start < high and low < end for low, high in pair.wrong)) if pair.marked else -1
                for start, end in claim.offsets[:CLAIM_TOKENS]
            ]
            ids.append(np.array([FIRST, *mine, LAST, *theirs, LAST], np.uint16))
            wrong.append(np.array([-1, *marks, *[-1] * (len(theirs) + 2)], np.int8))
            label = LABELS.index(pair.label) if pair.label in LABELS else -1
            rows.append((len(ids[-1]), len(mine) + 2, label, kinds.index(pair.kind)))
    length, claim_, label_, kind = np.array(rows, np.int16).reshape(-1, 4).T
    return {
        "ids": np.concatenate([np.zeros(0, np.uint16), *ids]),
        "wrong": np.concatenate([np.zeros(0, np.int8), *wrong]),
        "length": length,
        "claim": claim_,
        "label": label_.astype(np.int8),
        "kind": kind.astype(np.uint8),
        "kinds": np.array(kinds),
    }


def main() -> None:
    """Pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True, help="a tokenizer.json of BERT's uncased vocabulary")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, help="so many pairs at most, drawn at random: for a quick try")
    options = parser.parse_args()
    pairs = [pair for path in options.pairs for pair in load(path)]
    arrays = packed(drawn(pairs, options.most), options.tokenizer)
    np.savez_compressed(options.out, **arrays)
    print(options.out, len(arrays["length"]), "pairs,", len(arrays["ids"]), "tokens")


if __name__ == "__main__":
    main()
