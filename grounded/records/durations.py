"""Lengths of time as people write them: ``30s``, ``10m``, ``6h``, ``7d``, ``2w``."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|[smhdw]?)\s*")


def seconds(given: Any) -> Any:
    """A length of time in seconds; what is no text is returned as it is.

    >>> seconds("10m"), seconds("1.5h"), seconds("250ms"), seconds("45")
    (600.0, 5400.0, 0.25, 45.0)

    Raises:
        ValueError: It is a text of another form.
    """
    if not isinstance(given, str):
        return given
    found = _WRITTEN.fullmatch(given)
    if found is None or not math.isfinite(value := float(found[1]) * _UNITS[found[2]]):
        raise ValueError(f"{given!r} is no length of time; write 250ms, 30s, 10m, 6h, 7d or 2w")
    return value


Duration = Annotated[float, BeforeValidator(seconds)]
"""Seconds; a text such as ``10m`` is read as such."""
