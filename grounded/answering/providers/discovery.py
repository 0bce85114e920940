"""Which model servers run on this machine, at their usual ports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Server:
    """A model server that answered.

    Attributes:
        kind: ``Ollama``, ``llama.cpp``, ``LM Studio`` or ``vLLM``: what usually listens on that port.
        url: Its base address, for a spec: ``ollama:NAME`` or ``URL#MODEL``.
        models: The names it offers, sorted.
    """

    kind: str
    url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: ``base + listing`` must answer with JSON whose list ``items`` names models by ``name``."""

    kind: str
    base: str
    listing: str
    items: str
    name: str


USUAL_PLACES = (
    Place("Ollama", "http://127.0.0.1:11434", "/api/tags", "models", "name"),
    Place("llama.cpp", "http://127.0.0.1:8080/v1", "/models", "data", "id"),
    Place("LM Studio", "http://127.0.0.1:1234/v1", "/models", "data", "id"),
    Place("vLLM", "http://127.0.0.1:8000/v1", "/models", "data", "id"),
)


def discover_servers(timeout: float = 0.3, *, places: Sequence[Place] = USUAL_PLACES) -> list[Server]:
    """Ask the usual places on the loopback interface; nothing outside this machine is contacted.

    Args:
        timeout: Seconds to wait for a connection and for an answer, each, per place.
        places: Where to look.

    Returns:
        The servers that listed their models, in the order of ``places``.
    """
    return [server for server in (_ask(place, timeout) for place in places) if server is not None]


def _ask(place: Place, timeout: float) -> Server | None:
    with requests.Session() as session:
        session.trust_env = False
        try:
            with session.get(
                place.base + place.listing, timeout=timeout, allow_redirects=False, stream=True
            ) as response:
                body = response.raw.read(_MOST_BYTES, decode_content=True) if response.status_code == 200 else b""
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            return None
    names = _names(body, place)
    return None if names is None else Server(place.kind, place.base, names)


def _names(body: bytes, place: Place) -> tuple[str, ...] | None:
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    items = data.get(place.items) if isinstance(data, dict) else None
    if not isinstance(items, list):
        return None
    return tuple(sorted(str(item[place.name]) for item in items if isinstance(item, dict) and place.name in item))
