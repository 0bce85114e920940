"""Records the replies of ``grounded demo --compare``; after an interruption the same command goes on.

python training/comparison/replies.py http://127.0.0.1:8080/v1#NAME OUT --model "NAME SIZE QUANTISATION" --weights FILE
"""

from __future__ import annotations

import argparse
import hashlib
from datetime import date
from pathlib import Path

from grounded import llm
from grounded.demo.comparing import NONCE, QUESTIONS_FILE, VARIANTS
from grounded.evaluation.datasets import read_dataset
from grounded.evaluation.recordings import Recorder
from grounded.pipeline.given import answered_from_texts

ANSWER_TOKENS = 80
WINDOW = 4096
BLOCK = 14
PATIENCE = {"timeout": 7200.0, "deadline": 7200.0}


def main() -> None:
    """Ask every prompt that the recording does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", help="what grounded.llm takes")
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True, help="name, size and quantisation, for those who read the recording")
    parser.add_argument("--weights", type=Path, help="the weights' file, for its hash")
    given = parser.parse_args()
    weights = ""
    if given.weights:
        with given.weights.open("rb") as file:
            weights = hashlib.file_digest(file, "sha256").hexdigest()
    model = llm(given.spec, temperature=0.0, seed=1, max_tokens=ANSWER_TOKENS, window=WINDOW, **PATIENCE)
    recorder = Recorder(model, given.out, model=given.model, weights=weights, today=date.today())
    rows = read_dataset(QUESTIONS_FILE).rows
    # Block by block, so that a server reads a system message once and a part of the rows is complete when it stops.
    for start in range(0, len(rows), BLOCK):
        for template in VARIANTS.values():
            for row in rows[start : start + BLOCK]:
                options = {"template": template, "llm": recorder}
                answer = answered_from_texts(row, options, nonce=NONCE, verifier="containment")
                print(row.id, template.rpartition("/")[2], answer.outcome, flush=True)


if __name__ == "__main__":
    main()
