"""What the export costs: how often int8 and float disagree about supported, and by how much.

python training/verifier/parity.py work/run/model.pt work/held.jsonl --arithmetic tensor
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from export import build
from network import Verifier
from pairs import load
from train import rows, tensors

from grounded.models.entailment import VOCABULARY
from grounded.models.wordpiece import WordPiece


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--arithmetic", nargs="+", default=["tensor", "token", "weight_only"])
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    state = torch.load(options.weights)
    state = state.get("model", state)
    model = Verifier()
    model.load_state_dict(state)
    model.eval()
    items = rows(load(options.pairs)[: options.count], WordPiece.load(VOCABULARY))
    with torch.no_grad():
        exact = np.array([model(*tensors([row])[:3])[0][0].numpy() for row in items])
    label = np.array([row.label == 0 for row in items])
    said = exact[:, 0] > np.logaddexp(exact[:, 1], exact[:, 2])
    print(f"float: accuracy {100 * (said == label).mean():.1f}")
    for arithmetic in options.arithmetic:
        session = onnxruntime.InferenceSession(
            build(state, arithmetic).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        found = []
        for row in items:
            ids, kinds, *_ = tensors([row])
            found.append(session.run(["pair"], {"input_ids": ids.numpy(), "kinds": kinds.numpy()})[0][0])
        made = np.array(found)
        yes = made[:, 0] > np.logaddexp(made[:, 1], made[:, 2])
        print(
            f"{arithmetic}: accuracy {100 * (yes == label).mean():.1f}, disagrees {100 * (yes != said).mean():.1f} %, "
            f"mean difference of logits {np.abs(made - exact).mean():.3f}"
        )


if __name__ == "__main__":
    main()
