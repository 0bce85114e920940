"""What the export costs: how often integers and floats disagree about supported, and by how much.

python training/verifier/parity.py work/run/model.pt work/labelled.npz --shape gte --arithmetic token
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from export import build
from network import SHAPES, Verifier, state_of
from train import read, tensors


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("pairs", type=Path, help="a file that pack.py wrote")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="minilm")
    parser.add_argument("--arithmetic", nargs="+", default=["tensor", "token", "weight_only"])
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    state = state_of(options.weights)
    model = Verifier(SHAPES[options.shape])
    model.load_state_dict(state)
    model.eval()
    pairs = read(options.pairs, "cpu")
    chosen = np.random.default_rng(1).permutation(len(pairs.length))[: options.count]
    rows = [tensors(pairs, np.array([number])) for number in chosen]
    with torch.no_grad():
        exact = np.array([model(row[0], row[1])[0][0].numpy() for row in rows])
    label = np.array([int(row[2]) == 0 for row in rows])
    said = exact[:, 0] > np.logaddexp(exact[:, 1], exact[:, 2])
    print(f"float: accuracy {100 * (said == label).mean():.1f}")
    for arithmetic in options.arithmetic:
        session = onnxruntime.InferenceSession(
            build(state, arithmetic).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        feeds = ({"input_ids": row[0].numpy(), "kinds": row[1].numpy()} for row in rows)
        made = np.array([session.run(["pair"], feed)[0][0] for feed in feeds])
        yes = made[:, 0] > np.logaddexp(made[:, 1], made[:, 2])
        print(
            f"{arithmetic}: accuracy {100 * (yes == label).mean():.1f}, disagrees {100 * (yes != said).mean():.1f} %, "
            f"mean difference of logits {np.abs(made - exact).mean():.3f}"
        )


if __name__ == "__main__":
    main()
