"""Documents with hidden or misleading text are kept out of a knowledge base, where its owner wants that."""

from __future__ import annotations

from collections.abc import Callable

from grounded.errors import QuarantinedError
from grounded.prompting.spotlight import neutralise
from grounded.records import Parsed, RawDocument

SHOWN = 3
"""Findings named in the message."""


def screened(parse: Callable[[RawDocument], Parsed]) -> Callable[[RawDocument], Parsed]:
    """``parse``, but refusing untrusted documents in which a prompt builder would make something harmless.

    That is what ``Prompt.warnings`` names: invisible and bidirectional characters, letters of other scripts within
    words, role markers and special tokens, forged boundaries, comments and images that carry data away. Documents of
    trusted sources pass.
    """

    def checked(raw: RawDocument) -> Parsed:
        parsed = parse(raw)
        if raw.trust == "trusted":
            return parsed
        shown = neutralise(parsed.text)
        if shown.findings:
            named = "; ".join(
                f"{found.kind} at {found.span.start}-{found.span.end}: {found.message}"
                for found in shown.findings[:SHOWN]
            )
            more = len(shown.findings) - SHOWN + shown.more
            raise QuarantinedError(
                f"The document was quarantined: {named}" + (f"; and {more} more." if more > 0 else "."),
                fix="Look at these places; ingest it without quarantine, or as trusted, if they are harmless.",
            )
        return parsed

    return checked
