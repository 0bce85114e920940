"""A server on loopback that makes vectors as OpenAI, Azure and Ollama do, and tokens as a managed identity does."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.answering.loopback import Handler, replies

DIMENSION, WINDOW = 48, 600
KEY = "sk-loopback-key-0001"
TOKEN = "entra-token-of-this-test"
MODEL = "small"


def vector(text: str, dimension: int = DIMENSION) -> list[float]:
    """Words counted into a few places, not of length 1: what comes must be made so."""
    found = np.full(dimension, 0.01)
    for word in re.findall(r"\w+", text.lower()):
        found[zlib.crc32(word.encode()) % dimension] += 1
    return [float(value) for value in found]


def embeds(handler: Handler) -> None:
    """Answer one request of any of the three."""
    asked = handler.server.asked[-1]
    if asked.path.startswith("/msi"):
        assert asked.headers["x-identity-header"] == "identity-secret"
        token = {"access_token": TOKEN, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
        replies(200, {**token, "resource": "https://cognitiveservices.azure.com"})(handler)
        return
    answer = _ollama if asked.path == "/api/embed" else _openai
    (_refusal(asked) or answer(asked.body))(handler)


def _refusal(asked: Any) -> Any:
    path, headers, body = asked.path, asked.headers, asked.body
    if path == "/api/embed":
        if body["model"] != MODEL:
            return replies(404, {"error": f'model "{body["model"]}" not found, try pulling it first'})
    elif path.startswith("/openai/deployments/"):
        if headers.get("api-key") != KEY and headers.get("authorization") != f"Bearer {TOKEN}":
            return replies(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}})
        if not re.fullmatch(r"/openai/deployments/small/embeddings\?api-version=[\d-]+", path):
            return replies(404, {"error": {"code": "DeploymentNotFound", "message": "No such deployment."}})
    elif headers.get("authorization") != f"Bearer {KEY}":
        return replies(401, {"error": {"message": f"Incorrect API key: {headers.get('authorization')}"}})
    elif path != "/v1/embeddings" or body["model"] != MODEL:
        return replies(404, {"error": {"message": f"The model {body['model']!r} does not exist."}})
    if any(not text for text in body["input"]):
        return replies(400, {"error": {"message": "input cannot be an empty string"}})
    if any(len(text.split()) > WINDOW for text in body["input"]) and body.get("truncate") in (None, False):
        return replies(400, {"error": {"message": "the input length exceeds the context length"}})
    return None


def _openai(body: Any) -> Any:
    rows = [
        {"object": "embedding", "index": place, "embedding": vector(text, body.get("dimensions", DIMENSION))}
        for place, text in enumerate(body["input"])
    ]
    # The order is promised by index only.
    return replies(200, {"object": "list", "data": rows[::-1], "model": body["model"], "usage": {"total_tokens": 1}})


def _ollama(body: Any) -> Any:
    dimension = body.get("dimensions", DIMENSION)
    return replies(200, {"model": body["model"], "embeddings": [vector(text, dimension) for text in body["input"]]})


def texts_of(server: Any) -> list[str]:
    """Every text that was embedded, in order."""
    return [text for asked in server.asked if asked.body for text in asked.body["input"]]


def rows(*vectors: Sequence[float]) -> Any:
    """A reply in OpenAI's form."""
    return replies(200, json.dumps({"data": [{"index": n, "embedding": list(v)} for n, v in enumerate(vectors)]}))
