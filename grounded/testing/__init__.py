"""For tests: assert that an answer is grounded, and contract tests for the seams.

``assert_grounded`` and ``grounded_eval`` need nothing besides the package. The contracts (subclass one in your own
tests to show that your part keeps its promises) and the pytest plugin need ``pytest``; nothing else in the package
imports them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grounded.testing.asserting import assert_grounded as assert_grounded
    from grounded.testing.evaluated import grounded_eval as grounded_eval

__all__ = ["assert_grounded", "grounded_eval"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: pytest imports this package in every run."""
    if name == "assert_grounded":
        from grounded.testing.asserting import assert_grounded

        return assert_grounded
    if name == "grounded_eval":
        from grounded.testing.evaluated import grounded_eval

        return grounded_eval
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
