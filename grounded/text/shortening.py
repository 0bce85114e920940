"""Text that has to fit a place."""

from __future__ import annotations


def shortened(text: str, most: int) -> str:
    """``text``, or its beginning and an ellipsis where it has more than ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
