"""Whether live scores still look like those a verifier was calibrated on; where they do not, its promise lapses."""

from __future__ import annotations

import logging
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

from grounded.errors import UsageError
from grounded.records import Report
from grounded.records.calibrations import Calibration

WINDOW = 200
LEAST_WINDOW = 100
FALSE_ALARM = 0.01
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drift:
    """What one window of live scores says.

    Attributes:
        distance: Largest difference between the two distributions, in [0, 1].
        chance: At most this likely when nothing has changed.
        has_drifted: ``chance`` is below the stated rate of false alarms.
        window: Scores in the window.
    """

    distance: float
    chance: float
    has_drifted: bool
    window: int

    def __str__(self) -> str:
        if not self.has_drifted:
            return f"no drift seen (distance {self.distance:.3f}, chance {self.chance:.3g})"
        return (
            f"the scores of the last {self.window} claims differ from those of the calibration "
            f"(distance {self.distance:.3f}, chance {self.chance:.2g}): label some anew and calibrate again"
        )


class DriftMonitor:
    """Compares live scores with the calibration sample, window by window. Thread-safe.

    A two-sample Kolmogorov-Smirnov test, because its false alarms are known whatever the scores look like; the usual
    limits of the population stability index (0.1, 0.25) are rules of thumb whose false alarms depend on the bins and
    on the number of scores. Windows do not overlap, so each is one test with at most ``false_alarm`` false alarms.
    The bound is ``2 exp(-2 n m / (n + m) · distance²)`` after Wei and Dudley (2012, "Two-sample
    Dvoretzky-Kiefer-Wolfowitz inequalities"). Scores with many ties are tested more cautiously.

    It sees a change of the scores, not of what they mean: only new labels show that.

    Attributes:
        last: What the last full window said; None before.
    """

    def __init__(self, calibration: Calibration, *, window: int = WINDOW, false_alarm: float = FALSE_ALARM) -> None:
        """Start with an empty window.

        Args:
            calibration: Whose sample the scores are compared with.
            window: Scores of one test, at least ``LEAST_WINDOW``.
            false_alarm: How often a window without drift may be called drifted, in (0, 1).

        Raises:
            UsageError: The window is too small, or the rate is not in (0, 1).
        """
        if window < LEAST_WINDOW:
            raise UsageError(f"A window needs at least {LEAST_WINDOW} scores, not {window}.")
        if not 0.0 < false_alarm < 1.0:
            raise UsageError(f"false_alarm must lie between 0 and 1, not {false_alarm}.")
        self.last: Drift | None = None
        self._sample = calibration.scores
        self._labels = calibration.labels
        self._window = window
        self._false_alarm = false_alarm
        self._scores: list[float] = []
        self._reports = 0
        self._lock = Lock()

    def observe(self, live: Report | Iterable[float]) -> Drift | None:
        """Take a report, or raw scores, into the window.

        Of a report one claim is taken, in turn the first, second and so on of different reports: the claims of one
        answer are alike, and taking all of them would raise the false alarms.

        Returns:
            What a window says that has become full by it (the last such one); None when none has.
        """
        with self._lock:
            found: Drift | None = None
            for score in self._of(live) if isinstance(live, Report) else live:
                self._scores.append(score)
                if len(self._scores) == self._window:
                    found = self.last = self._test(sorted(self._scores))
                    self._scores.clear()
        if found is not None and found.has_drifted:
            _log.warning("%s", found)
        return found

    def _of(self, report: Report) -> Sequence[float]:
        scores = [claim.score for claim in report.claims if claim.score is not None]
        if not scores:
            return ()
        self._reports += 1
        return (scores[self._reports % len(scores)],)

    def _test(self, live: Sequence[float]) -> Drift:
        distance = largest_difference(self._sample, live)
        size = self._labels * len(live) / (self._labels + len(live))
        chance = min(2.0 * math.exp(-2.0 * size * distance * distance), 1.0)
        return Drift(distance, chance, chance < self._false_alarm, len(live))


def largest_difference(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sample Kolmogorov-Smirnov distance of two sorted samples, in [0, 1]."""
    places = {*one, *other}
    return max(
        abs(side(one, place) / len(one) - side(other, place) / len(other))
        for place in places
        for side in (bisect_left, bisect_right)
    )
