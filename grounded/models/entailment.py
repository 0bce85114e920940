"""The default entailment network: a small English model inside the package, run by onnxruntime, offline."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from grounded.models import runtime
from grounded.models.embedder import tokenizer_of
from grounded.models.wordpiece import WordPiece

FOLDER = Path(__file__).parent / "verifier"
VOCABULARY = Path(__file__).parent / "minilm"
CLAIM_TOKENS = 80
"""Pieces of a claim that are read; the network was trained with as many."""
_SPECIAL_TOKENS = 3
_BORDERS = ".,;:!?)"


@dataclass(frozen=True, slots=True)
class Logits:
    """What the network says of a pair.

    Attributes:
        supported: Logit that the context supports the claim.
        contradicted: Logit that it speaks against it.
        neither: Logit of neither.
        words: ``(start, end, logit)`` of each piece of the claim: how sure it is that the context does not carry it.
    """

    supported: float
    contradicted: float
    neither: float
    words: tuple[tuple[int, int, float], ...]


class EntailmentNetwork:
    """Reads (context, claim) pairs. Thread-safe; nothing is loaded before first use.

    Every pair is one call of the model, so that its numbers never depend on what else was asked.
    """

    def __init__(self, folder: Path = FOLDER, *, threads: int | None = None) -> None:
        self._folder = folder
        self._threads = runtime.threads_to_use(threads)
        self.manifest = runtime.manifest(folder)

    @property
    def identity(self) -> str:
        """Model name and a hash over the weights and how they are weighed."""
        return str(self.manifest["identity"])

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Logits]:
        """Logits of ``(context, claim)`` pairs, in the order given; what is too long of either is cut at its end.

        Raises:
            ModelFileError: A model file is missing or corrupted.
        """
        distinct = sorted(set(pairs), key=lambda pair: len(pair[0]) + len(pair[1]), reverse=True)
        if self._threads == 1 or len(distinct) < 2:
            made = {pair: self._run(*pair) for pair in distinct}
        else:
            with ThreadPoolExecutor(min(self._threads, len(distinct)), "grounded-verify") as pool:
                made = dict(zip(distinct, pool.map(lambda pair: self._run(*pair), distinct), strict=True))
        return [made[pair] for pair in pairs]

    def pieces(self, claim: str) -> list[str]:
        """A claim in pieces that are read whole: one, unless it is longer than ``CLAIM_TOKENS``.

        A longer one is cut behind punctuation, where there is some late enough, else between words, else anywhere.
        """
        spans = self._tokenizer.spans(claim)
        found: list[str] = []
        first = 0
        while len(spans) - first > CLAIM_TOKENS:
            late = range(first + CLAIM_TOKENS, first + CLAIM_TOKENS // 2, -1)
            between = [n for n in late if claim[spans[n - 1][1] : spans[n][0]].isspace()]
            behind = [n for n in between if claim[spans[n - 1][1] - 1] in _BORDERS]
            last = (behind or between or [first + CLAIM_TOKENS])[0]
            found.append(claim[spans[first][0] : spans[last - 1][1]])
            first = last
        return [*found, claim[spans[first][0] :]] if found else [claim]

    def _run(self, context: str, claim: str) -> Logits:
        import numpy as np

        tokenizer = self._tokenizer
        mine = tokenizer.ids(claim, CLAIM_TOKENS)
        room = int(self.manifest["window_tokens"]) - len(mine) - _SPECIAL_TOKENS
        theirs = tokenizer.ids(context, room)
        ids = [tokenizer.first_id, *mine, tokenizer.last_id, *theirs, tokenizer.last_id]
        kinds = [0] * (len(mine) + 2) + [1] * (len(theirs) + 1)
        feed = {"input_ids": np.array([ids], dtype=np.int64), "kinds": np.array([kinds], dtype=np.int64)}
        pair, token = runtime.session(self._folder).run(["pair", "token"], feed)
        words = zip(tokenizer.spans(claim)[: len(mine)], token[0, 1 : 1 + len(mine)], strict=True)
        supported, contradicted, neither = (float(logit) for logit in pair[0])
        return Logits(supported, contradicted, neither, tuple((a, b, float(logit)) for (a, b), logit in words))

    @property
    def _tokenizer(self) -> WordPiece:
        return tokenizer_of(VOCABULARY)


@cache
def default_network(threads: int | None = None) -> EntailmentNetwork:
    """The network that comes with the package; made once per process, loaded at first use.

    Raises:
        ModelFileError: The package's model files are missing or damaged.
    """
    return EntailmentNetwork(threads=threads)
