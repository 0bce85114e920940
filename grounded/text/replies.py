"""What a language model puts around the JSON it was asked for."""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


def unwrapped(reply: str) -> str:
    """A reply without the reasoning before it and the fence around it; nothing else is mended."""
    text = _THOUGHT.sub("", reply, count=1)
    fenced = _FENCE.match(text)
    return fenced[1] if fenced else text.strip()
