"""Checking an answer while it is written, with the same verdicts as for the whole."""

from __future__ import annotations

import re

from grounded.records import Claim, Report
from grounded.verification.verifying import Prepared

_MAY_END = re.compile(r"[.!?…。！？:;\n\]】>]")
_MAY_BE_MARKER = ("[", "【")


class AnswerStream:
    """Takes an answer piece by piece and gives each sentence's claim once it is complete.

    A sentence is complete when another has begun after it, since markers and closing quotes may still follow a
    full stop. What is given is never taken back, but a closing ``</think>`` without an opening one makes all
    text before it reasoning; ``finish`` then returns a report without those claims.

    Attributes:
        text: What has come so far.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.text = ""
        self._prepared = prepared
        self._open = 0
        self._given: dict[tuple[int, int], Claim] = {}

    def feed(self, piece: str) -> list[Claim]:
        """Take the next piece; return the claims that are complete now and were not before, in order."""
        self.text += piece
        # Nothing can be complete before the sentence that is being written may have ended.
        if not _MAY_END.search(self.text, self._open):
            return []
        drafts = self._prepared.draft(self.text).drafts
        self._open = drafts[-1].span.start if drafts else 0
        fresh: list[Claim] = []
        for number, item in enumerate(drafts[:-1]):
            if number == len(drafts) - 2 and (item.text.startswith("|") or drafts[-1].text.startswith(_MAY_BE_MARKER)):
                # Whether a row is a table's header and whether "[1" is a marker is known when more has come.
                break
            key = item.span.start, item.span.end
            if key not in self._given:
                self._given[key] = self._prepared.check(self.text, item, drafts[:number])
                fresh.append(self._given[key])
        return fresh

    def finish(self) -> Report:
        """The report of the whole answer: what ``Prepared.report`` says of it."""
        return self._prepared.report(self.text)
