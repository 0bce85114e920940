"""For tests: assert that an answer is grounded, and contract tests for the seams.

``assert_grounded`` needs nothing besides the package. The contracts (subclass one in your own tests to show that your
part keeps its promises) and the pytest plugin need ``pytest``; nothing else in the package imports them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grounded.testing.asserting import assert_grounded as assert_grounded

__all__ = ["assert_grounded"]


def __getattr__(name: str) -> Any:
    """Load ``assert_grounded`` when it is first used: pytest imports this package in every run."""
    if name != "assert_grounded":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from grounded.testing.asserting import assert_grounded

    return assert_grounded
