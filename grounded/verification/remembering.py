"""A verifier that judges the same pair once, for runs in which answers repeat each other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock

from grounded.protocols import EntailmentModel, Judgement
from grounded.records import VerifierRef

MOST = 4096
"""Pairs whose judgements are kept; those asked for longest ago go first."""


class Remembering:
    """An ``EntailmentModel`` that asks another one, of each pair once. Thread-safe when that one is.

    Variants of a metaprompt often quote the same sentence from the same passage. A pair that another thread is asking
    about is waited for. An error is nobody's judgement: everybody who waits gets it, and the pair is asked for again.

    Args:
        model: The other one; it has to judge a pair alike whatever else is asked.
        most: Pairs that are kept, at least 1.
    """

    def __init__(self, model: EntailmentModel, most: int = MOST) -> None:
        self._model, self._most = model, most
        self._known: OrderedDict[tuple[str, str], Future[Judgement]] = OrderedDict()
        self._lock = Lock()
        if callable(reads := getattr(model, "cannot_read", None)):
            self.cannot_read = reads

    @property
    def ref(self) -> VerifierRef:
        """The other model's: its judgements are the same."""
        return self._model.ref

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Judge ``(window, claim)`` pairs, in the order given.

        Raises:
            ValueError: The other model gave more or fewer judgements than it was asked for.
        """
        mine: dict[tuple[str, str], Future[Judgement]] = {}
        with self._lock:
            held = [self._future(pair, mine) for pair in pairs]
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        if mine:
            self._ask(mine)
        return [future.result() for future in held]

    def _future(self, pair: tuple[str, str], mine: dict[tuple[str, str], Future[Judgement]]) -> Future[Judgement]:
        found = self._known.get(pair)
        if found is None:
            found = self._known[pair] = mine[pair] = Future()
        self._known.move_to_end(pair)
        return found

    def _ask(self, mine: dict[tuple[str, str], Future[Judgement]]) -> None:
        try:
            for future, judgement in zip(mine.values(), self._model.judge(list(mine)), strict=True):
                future.set_result(judgement)
        except BaseException as error:
            with self._lock:
                for pair, future in mine.items():
                    if self._known.get(pair) is future:
                        del self._known[pair]
            for future in mine.values():
                if not future.done():
                    future.set_exception(error)
            raise
