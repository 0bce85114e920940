"""The network: an encoder that reads a claim and a context together, with a head for the pair and one for words.

It starts from one of three public encoders that share a vocabulary, so that all of them read the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LABELS = ("supported", "contradicted", "neither")
MAX_TOKENS = 384
CLAIM_TOKENS = 80
MPNET_FIRST_WORD = 4
"""MPNet's vocabulary is BERT's behind four words of its own."""


@dataclass(frozen=True)
class Shape:
    """The encoder's size; ``buckets`` of relative positions, 0 for none."""

    layers: int = 6
    hidden: int = 384
    heads: int = 12
    inner: int = 1536
    words: int = 30522
    positions: int = 512
    epsilon: float = 1e-12
    buckets: int = 0


SHAPES = {
    "minilm": Shape(),
    "gte": Shape(layers=12),
    "mpnet": Shape(layers=12, hidden=768, inner=3072, epsilon=1e-5, buckets=32),
}


class Layer(nn.Module):
    """One transformer layer, normalised after each half as in BERT."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.hidden, 3 * shape.hidden)
        self.out = nn.Linear(shape.hidden, shape.hidden)
        self.norm1 = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.up = nn.Linear(shape.hidden, shape.inner)
        self.down = nn.Linear(shape.inner, shape.hidden)
        self.norm2 = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.dropout = 0.1

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """``x``: (batch, tokens, hidden); ``mask``: added to the attention, or None."""
        batch, tokens, hidden = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, hidden // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = self.out(mixed.transpose(1, 2).reshape(batch, tokens, hidden))
        x = self.norm1(x + F.dropout(mixed, self.dropout, self.training))
        inner = self.down(F.gelu(self.up(x)))
        return self.norm2(x + F.dropout(inner, self.dropout, self.training))


class Verifier(nn.Module):
    """Pair logits (supported, contradicted, neither) and, for every token of the claim, whether it is unsupported."""

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape or Shape()
        self.word = nn.Embedding(self.shape.words, self.shape.hidden)
        self.position = nn.Embedding(self.shape.positions, self.shape.hidden)
        self.kind = nn.Embedding(2, self.shape.hidden)
        self.norm = nn.LayerNorm(self.shape.hidden, eps=self.shape.epsilon)
        self.layers = nn.ModuleList(Layer(self.shape) for _ in range(self.shape.layers))
        self.relative = nn.Embedding(self.shape.buckets, self.shape.heads) if self.shape.buckets else None
        self.pool = nn.Linear(2 * self.shape.hidden, self.shape.hidden)
        self.pair = nn.Linear(self.shape.hidden, len(LABELS))
        self.token = nn.Linear(self.shape.hidden, 1)

    def forward(self, ids: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Both of shape (batch, tokens), without padding: rows of one batch are equally long.

        Returns:
            Pair logits (batch, 3) and token logits (batch, tokens).
        """
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.word(ids) + self.position(positions) + self.kind(kinds))
        mask = None
        if self.relative is not None:
            near = bucket_of(positions[None, :] - positions[:, None], self.shape.buckets)
            mask = self.relative(near).permute(2, 0, 1)[None].to(torch.bfloat16 if x.is_cuda else x.dtype)
            mask = mask.expand(ids.shape[0], -1, -1, -1)
        for layer in self.layers:
            x = layer(x, mask)
        tokens = self.token(x).squeeze(-1)
        # The pair head sees the first token and the claim's own tokens: what of them the context leaves open.
        claim = (kinds == 0).unsqueeze(-1).to(x.dtype)
        mean = (x * claim).sum(1) / claim.sum(1).clamp(min=1)
        pooled = torch.tanh(self.pool(torch.cat([x[:, 0], mean], dim=-1)))
        return self.pair(F.dropout(pooled, 0.1, self.training)), tokens


def bucket_of(distance: Tensor, buckets: int, far: int = 128) -> Tensor:
    """MPNet's buckets of relative positions: exact when near, logarithmic when far, half of them for each side."""
    half = buckets // 2
    side = (distance > 0).long() * half
    steps = distance.abs()
    exact = half // 2
    large = exact + (steps.float().clamp(min=1) / exact).log() / math.log(far / exact) * (half - exact)
    return side + torch.where(steps < exact, steps, large.long().clamp(max=half - 1))


Weights = dict[str, np.ndarray]


def from_safetensors(content: bytes) -> Weights:
    """The encoder of all-MiniLM-L6-v2 or all-mpnet-base-v2."""
    from safetensors.numpy import load

    return {key.removeprefix("bert.").removeprefix("mpnet."): value for key, value in load(content).items()}


def from_onnx(content: bytes) -> Weights:
    """The encoder of an ONNX file whose matrices have lost their names: they stand in the order of the layers."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(content).graph
    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    found = {name.removeprefix("bert."): array for name, array in arrays.items() if "MatMul" not in name}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            name = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".").removeprefix("bert.")
            name = name.replace("encoder.layer.layer.", "encoder.layer.")
            found[f"{name}.weight"] = arrays[node.input[1]].T
    return found


def named(weights: Weights, shape: Shape) -> Weights:
    """An encoder's weights under the names of :class:`Verifier`; its heads are not in it."""
    is_mpnet = bool(shape.buckets)
    attention = "attention.attn" if is_mpnet else "attention.self"
    query = ("q", "k", "v") if is_mpnet else ("query", "key", "value")
    out = "attention.attn.o" if is_mpnet else "attention.output.dense"
    norm1 = "attention.LayerNorm" if is_mpnet else "attention.output.LayerNorm"
    words = weights["embeddings.word_embeddings.weight"]
    places = weights["embeddings.position_embeddings.weight"]
    found: Weights = {
        "word.weight": words[MPNET_FIRST_WORD : MPNET_FIRST_WORD + shape.words] if is_mpnet else words,
        "position.weight": places[2 : 2 + shape.positions] if is_mpnet else places[: shape.positions],
        "kind.weight": np.zeros((2, shape.hidden), np.float32)
        if is_mpnet
        else weights["embeddings.token_type_embeddings.weight"],
    }
    if is_mpnet:
        # Its first and last words stand where BERT's do.
        found["word.weight"] = found["word.weight"].copy()
        found["word.weight"][101], found["word.weight"][102] = words[0], words[2]
        found["relative.weight"] = weights["encoder.relative_attention_bias.weight"]
    parts = [("norm", "embeddings.LayerNorm", "")]
    for number in range(shape.layers):
        base = f"encoder.layer.{number}."
        for end in ("weight", "bias"):
            found[f"layers.{number}.qkv.{end}"] = np.concatenate(
                [weights[f"{base}{attention}.{name}.{end}"] for name in query]
            )
        parts += [
            (f"layers.{number}.{own}", theirs, base)
            for own, theirs in (
                ("out", out),
                ("norm1", norm1),
                ("up", "intermediate.dense"),
                ("down", "output.dense"),
                ("norm2", "output.LayerNorm"),
            )
        ]
    for own, theirs, base in parts:
        for end in ("weight", "bias"):
            found[f"{own}.{end}"] = weights[f"{base}{theirs}.{end}"]
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in found.items()}


def pack(weights: Weights) -> Weights:
    """Matrices as 8-bit integers with a scale for each row: small enough to carry to a machine that trains."""
    found: Weights = {}
    for name, value in weights.items():
        if value.ndim == 2 and value.shape[0] > 32:
            scale = np.abs(value).max(axis=1, keepdims=True) / 127 + 1e-12
            found[f"{name}|levels"] = np.rint(value / scale).astype(np.int8)
            found[f"{name}|scale"] = scale.astype(np.float32)
        else:
            found[name] = value
    return found


def unpack(arrays: Any) -> dict[str, Tensor]:
    """What :func:`pack` packed."""
    found = {}
    for name in arrays.files:
        if name.endswith("|levels"):
            base = name.removesuffix("|levels")
            found[base] = torch.from_numpy(arrays[name].astype(np.float32) * arrays[f"{base}|scale"])
        elif "|" not in name:
            found[name] = torch.from_numpy(arrays[name])
    return found


def began(path: Path, model: Verifier) -> None:
    """Load weights to begin with; heads that they lack stay as they are made."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            missing = model.load_state_dict(unpack(arrays), strict=False)
        unknown = [name for name in missing.missing_keys if not name.startswith(("pool", "pair", "token"))]
        if unknown or missing.unexpected_keys:
            raise SystemExit(f"{path} does not fit: {unknown} {missing.unexpected_keys}")
    else:
        model.load_state_dict(state_of(path))


def state_of(path: Path) -> dict[str, Tensor]:
    """Trained weights; words that were carried as 8-bit rows with a scale are put together again."""
    state: dict[str, Tensor] = torch.load(path, map_location="cpu")
    if "word.levels" in state:
        state["word.weight"] = state.pop("word.levels").float() * state.pop("word.scale")
    return {name: value.float() for name, value in state.items()}
