"""Secrets stay where they are kept: names are written down, values are fetched when a connection is made."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlsplit, urlunsplit

from grounded.errors import ConfigurationError, MissingExtraError

_PLACE = re.compile(r"(?<!\$)\$\{([^}]*)\}")
_USER_INFO = re.compile(r"(?<=://)[^/\s@]*@")
_KEYRING = "keyring:"
_FIX = "Write ${NAME} for an environment variable, or ${keyring:SERVICE/USER} for the system's keyring."


def fill(text: str, *, in_uri: bool = False) -> str:
    """The text with every ``${NAME}`` and ``${keyring:SERVICE/USER}`` replaced by the secret of that name.

    ``$${`` stands for ``${``. What is returned must not be stored or logged.

    Args:
        text: What was written down.
        in_uri: Percent-encode what is put in.

    Raises:
        ConfigurationError: There is no such variable or keyring entry.
        MissingExtraError: A keyring entry is named and the package ``keyring`` is not installed.
    """
    filled = _PLACE.sub(lambda found: quote(_secret(found[1]), safe="") if in_uri else _secret(found[1]), text)
    return filled.replace("$${", "${")


def without_credentials(uri: str, *, keep_query: bool = False) -> str:
    """A URI without user, password, fragment and, unless kept, query: what may be stored, logged and shown."""
    parts = urlsplit(uri)
    query = parts.query if keep_query else ""
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))
    # urlunsplit drops the empty authority of sqlite:///file and its like.
    start = f"{parts.scheme}://"
    return bare if bare.startswith(start) else start + bare.removeprefix(f"{parts.scheme}:")


def redact(text: str) -> str:
    """A message of somebody else's without the user and password of any URI in it."""
    return _USER_INFO.sub("", text)


def _secret(name: str) -> str:
    if name.startswith(_KEYRING):
        return _from_keyring(name.removeprefix(_KEYRING))
    value = os.environ.get(name)
    if value is None:
        raise ConfigurationError(f"The environment variable {name!r} is not set.", fix=_FIX)
    return value


def _from_keyring(place: str) -> str:
    try:
        import keyring
    except ImportError as error:
        raise MissingExtraError("Reading a secret from the keyring", package="keyring", extra="keyring") from error
    service, _, user = place.rpartition("/")
    value = keyring.get_password(service, user)
    if value is None:
        raise ConfigurationError(f"The keyring holds no password for {user!r} at {service!r}.", fix=_FIX)
    return str(value)
