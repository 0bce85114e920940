"""Trains a network on packed pairs, alone or after a teacher; on a GPU where there is one.

    python train.py work/synthetic.npz:1 work/labelled.npz:3 --late work/labelled.npz:5 work/rare.npz:1 \
        --start work/gte.npz --shape gte --out work/run --seconds 200 --rate 3e-4

A file's number says how often its pairs are read in one pass. ``--late`` files are what the last part reads.
Ends after ``--tokens`` or ``--seconds``, whichever comes first; the rate of learning falls to zero by then. What is
learned is kept every few minutes: the same command goes on where it was stopped, and ends where it would have ended.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from network import SHAPES, Verifier, began
from torch import Tensor
from torch.nn import functional as F

WARM_UP = 0.04
WRONG_WEIGHT = 3.0
"""Wrong words are few beside right ones."""
LATE = 0.7
"""Share of training after which the ``--late`` files are read."""
TEACHER = 0.6
"""Weight of what the teacher says, where it says something, beside the labels."""
NEVER = 10**15


@dataclass
class Pairs:
    """Packed pairs on the device; ``pair`` and ``token`` are a teacher's logits, where it has read them."""

    ids: Tensor
    wrong: Tensor
    start: Tensor
    length: np.ndarray
    claim: Tensor
    label: Tensor
    kind: np.ndarray
    kinds: list[str]
    pair: Tensor | None = None
    token: Tensor | None = None


def read(path: Path, device: str, labels: Path | None = None) -> Pairs:
    """A file of pairs, with what a teacher wrote of it if there is such a file."""
    with np.load(path) as arrays:
        length = arrays["length"].astype(np.int64)
        start = np.concatenate([[0], np.cumsum(length)[:-1]])
        found = Pairs(
            torch.from_numpy(arrays["ids"].astype(np.int32)).to(device),
            torch.from_numpy(arrays["wrong"]).to(device),
            torch.from_numpy(start).to(device),
            length,
            torch.from_numpy(arrays["claim"].astype(np.int64)).to(device),
            torch.from_numpy(arrays["label"].astype(np.int64)).to(device),
            arrays["kind"],
            [str(kind) for kind in arrays["kinds"]],
        )
    if labels is not None and labels.exists():
        with np.load(labels) as arrays:
            found.pair = torch.from_numpy(arrays["pair"]).to(device)
            found.token = torch.from_numpy(arrays["token"]).to(device)
    return found


Batch = tuple[int, np.ndarray]
"""Index of a file and rows of it, all of one length."""


def batches(files: Sequence[tuple[Pairs, float]], tokens: int, chance: np.random.Generator) -> list[Batch]:
    """One pass: rows of equal length together, in random order, so that nothing is padded."""
    made: list[Batch] = []
    for number, (pairs, times) in enumerate(files):
        every = np.arange(len(pairs.length))
        whole, part = int(times), times - int(times)
        order = [chance.permutation(every) for _ in range(whole)]
        order.append(chance.permutation(every)[: int(part * len(every))])
        rows = np.concatenate(order)
        if not len(rows):
            continue
        rows = rows[np.argsort(pairs.length[rows], kind="stable")]
        cuts = np.flatnonzero(np.diff(pairs.length[rows])) + 1
        for same in np.split(rows, cuts):
            size = max(1, tokens // int(pairs.length[same[0]]))
            same = chance.permutation(same)
            made += [(number, same[at : at + size]) for at in range(0, len(same), size)]
    return [made[i] for i in chance.permutation(len(made))]


def merged(made: Sequence[Batch], files: Sequence[Pairs], tokens: int) -> Iterator[list[Batch]]:
    """Batches in the order given, small ones joined until a step has learned from enough tokens."""
    step: list[Batch] = []
    size = 0
    for number, rows in made:
        step.append((number, rows))
        size += len(rows) * int(files[number].length[rows[0]])
        if size >= tokens:
            yield step
            step, size = [], 0
    if step:
        yield step


def tensors(pairs: Pairs, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Ids, kinds, labels, marks of wrong words, and where in the file each token stands."""
    device = pairs.ids.device
    which = torch.from_numpy(rows).to(device)
    across = torch.arange(int(pairs.length[rows[0]]), device=device)
    place = pairs.start[which][:, None] + across
    kinds = (across >= pairs.claim[which][:, None]).long()
    return pairs.ids[place].long(), kinds, pairs.label[which], pairs.wrong[place], place


def loss_of(pairs: Pairs, rows: np.ndarray, model: Verifier) -> Tensor:
    """Summed over pairs: cross entropy of the pair and of every marked word, and distance from the teacher."""
    ids, kinds, label, wrong, place = tensors(pairs, rows)
    pair, token = model(ids, kinds)
    pair, token = pair.float(), token.float()
    known = label >= 0
    hard = F.cross_entropy(pair, label, label_smoothing=0.05, ignore_index=-1, reduction="none")
    marked = wrong >= 0
    target = wrong.clamp(min=0).float()
    weight = torch.where(wrong > 0, WRONG_WEIGHT, 1.0) * marked
    words = F.binary_cross_entropy_with_logits(token, target, weight, reduction="none").sum(1)
    words = words / weight.sum(1).clamp(min=1)
    if pairs.pair is None or pairs.token is None:
        return (hard + words).sum()
    which = torch.from_numpy(rows).to(ids.device)
    soft = F.kl_div(pair.log_softmax(-1), pairs.pair[which].float().softmax(-1), reduction="none").sum(-1)
    claim = (kinds == 0).float()
    theirs = F.binary_cross_entropy_with_logits(token, pairs.token[place].float().sigmoid(), claim, reduction="none")
    theirs = theirs.sum(1) / claim.sum(1)
    share = torch.where(known, TEACHER, 1.0)
    return ((1 - share) * (hard + words) + share * (2 * soft + theirs)).sum()


class State:
    """How far training is, and all that it takes to go on from there.

    Attributes:
        seen: Tokens learned from.
        seconds: Spent on it.
        pass_of: The generator of random order as it was when the present pass began.
        taken: Steps of the present pass.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, Any],
        model: Verifier,
        optimizer: torch.optim.Optimizer,
        chance: np.random.Generator,
    ) -> None:
        self.path, self._settings, self._model, self._optimizer, self._chance = path, settings, model, optimizer, chance
        self.step, self.seen, self.seconds, self.is_late = 0, 0, 0.0, False
        self.pass_of, self.taken = chance.bit_generator.state, 0

    def steps(
        self,
        early: Sequence[tuple[Pairs, float]],
        late: Sequence[tuple[Pairs, float]],
        options: argparse.Namespace,
        elapsed: Callable[[], float],
    ) -> Iterator[tuple[list[Batch], Sequence[tuple[Pairs, float]], float]]:
        """What to learn from next, the files that it is of, and the share of training that is done."""
        while True:
            files = late if self.is_late else early
            self._chance.bit_generator.state = self.pass_of
            # Each batch is of one length; a step joins a few, so that it learns from many lengths.
            one_pass = batches(files, options.batch // 2, self._chance)
            made = merged(one_pass, [pairs for pairs, _ in files], options.batch)
            for chosen in islice(made, self.taken, None):
                done = max(self.seen / options.tokens, elapsed() / options.seconds)
                if done >= 1:
                    return
                if done >= LATE and not self.is_late:
                    self.is_late = True
                    break
                self.taken += 1
                yield chosen, files, done
            self.pass_of, self.taken = self._chance.bit_generator.state, 0

    def save(self) -> None:
        """Keep everything, in one file that is there whole or not at all."""
        told = {name: getattr(self, name) for name in _KEPT}
        random = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
        weights = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict(), "random": random}
        torch.save({"settings": self._settings, **told, **weights}, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def load(self) -> None:
        """Take up what was kept, if anything was.

        Raises:
            SystemExit: It was kept with other settings.
        """
        if not self.path.exists():
            return
        kept = torch.load(self.path, map_location="cpu", weights_only=False)
        if kept["settings"] != self._settings:
            raise SystemExit(f"{self.path} was made with other settings; delete it to begin anew: {kept['settings']}")
        self._model.load_state_dict(kept["model"])
        self._optimizer.load_state_dict(kept["optimizer"])
        cpu, *cuda = kept["random"]
        torch.set_rng_state(cpu)
        torch.cuda.set_rng_state_all(cuda)
        for name in _KEPT:
            setattr(self, name, kept[name])


_KEPT = ("step", "seen", "seconds", "is_late", "pass_of", "taken")


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {name: str(value) for name, value in vars(options).items() if name not in ("keep", "label", "held", "out")}


@torch.no_grad()
def logits(model: Verifier, pairs: Pairs, tokens: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """What a network says of every pair: ``(pairs, 3)`` and one number for every token of the file."""
    model.eval()
    device = pairs.ids.device
    pair = torch.zeros(len(pairs.length), 3, device=device)
    token = torch.zeros(len(pairs.ids), device=device)
    for _, rows in batches([(pairs, 1)], tokens, np.random.default_rng(0)):
        ids, kinds, _, _, place = tensors(pairs, rows)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            one, each = model(ids, kinds)
        pair[torch.from_numpy(rows).to(device)] = one.float()
        token[place] = each.float()
    model.train()
    return pair.cpu().numpy(), token.cpu().numpy()


def check(model: Verifier, pairs: Pairs) -> str:
    """Accuracy of supported or not on held-out pairs, by kind."""
    said = logits(model, pairs)[0]
    right = (said.argmax(1) == 0) == (pairs.label.cpu().numpy() == 0)
    by: dict[str, list[bool]] = defaultdict(list)
    for kind, is_right in zip(pairs.kind, right, strict=True):
        by[pairs.kinds[int(kind)]].append(bool(is_right))
    return "  ".join(f"{kind} {100 * np.mean(found):.0f}" for kind, found in sorted(by.items()) if len(found) > 8)


def files_of(names: Sequence[str], device: str, teacher: str) -> list[tuple[Pairs, float]]:
    """``PATH:TIMES`` read; a teacher's logits stand beside a file under its name and the teacher's."""
    found = []
    for name in names:
        path, _, times = name.partition(":")
        labels = Path(path).with_suffix(f".{teacher}.npz") if teacher else None
        found.append((read(Path(path), device, labels), float(times or 1)))
    return found


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", help="FILE:TIMES")
    parser.add_argument("--late", nargs="*", default=[], help="FILE:TIMES")
    parser.add_argument("--held", type=Path, help="a file that is only checked against")
    parser.add_argument("--start", type=Path, required=True, help="weights to begin with")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="minilm")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher", default="", help="name of the teacher whose logits stand beside the files")
    parser.add_argument("--label", nargs="*", default=[], help="files to write logits beside when trained")
    parser.add_argument("--tokens", type=int, default=NEVER)
    parser.add_argument("--seconds", type=float, default=float(NEVER))
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--batch", type=int, default=32_768, help="tokens of a step")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--keep", type=float, default=300, help="seconds after which what is learned is kept")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    shape = SHAPES[options.shape]
    model = Verifier(shape)
    began(options.start, model)
    model.to(device).train()
    early = files_of(options.pairs, device, options.teacher)
    late = files_of(options.late, device, options.teacher) or early
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}],
        lr=options.rate,
        betas=(0.9, 0.98),
        fused=device == "cuda",
    )
    options.out.mkdir(parents=True, exist_ok=True)
    state = State(options.out / "resume.pt", _settings(options), model, optimizer, np.random.default_rng(options.seed))
    state.load()
    if state.step:
        print(f"{options.out.name} goes on at step {state.step}", flush=True)
    losses: list[Tensor] = []
    began_at, kept, reported = time.time() - state.seconds, time.time(), time.time()
    for chosen, files, done in state.steps(early, late, options, lambda: time.time() - began_at):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(done / WARM_UP, (1 - done) / (1 - WARM_UP))
        size, total = sum(len(rows) for _, rows in chosen), torch.zeros((), device=device)
        for number, rows in chosen:
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                loss = loss_of(files[number][0], rows, model) / size
            loss.backward()
            total += loss.detach()
            state.seen += len(rows) * int(files[number][0].length[rows[0]])
        torch.nn.utils.clip_grad_norm_(decayed + plain, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(total)
        state.step += 1
        state.seconds = time.time() - began_at
        if time.time() - reported > 10:
            reported = time.time()
            mean = float(torch.stack(losses[-100:]).mean())
            speed = state.seen / state.seconds
            print(f"{options.out.name} {done:.2f} step {state.step} loss {mean:.3f} {speed:.0f}/s", flush=True)
        if time.time() - kept > options.keep:
            kept = time.time()
            state.save()
    torch.save({name: value.to(torch.bfloat16) for name, value in model.state_dict().items()}, options.out / "model.pt")
    print(f"{options.out.name}: {state.step} steps, {state.seen} tokens in {state.seconds:.0f} s", flush=True)
    told = asdict(shape) | {"steps": state.step, "tokens": state.seen, "rate": options.rate, "files": options.pairs}
    (options.out / "model.json").write_text(json.dumps(told, indent=1) + "\n")
    if options.held:
        print(f"{options.out.name} held out:", check(model, read(options.held, device)), flush=True)
    for name in options.label:
        pair, token = logits(model, read(Path(name), device))
        np.savez(
            Path(name).with_suffix(f".{options.out.name}.npz"),
            pair=pair.astype(np.float16),
            token=token.astype(np.float16),
        )
    state.path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
