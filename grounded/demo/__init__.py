"""The demo: a small handbook that travels with the package, and the questions asked of it."""

from grounded.demo.story import CATCH, LAYOUT, QUESTIONS, UNANSWERABLE, VERSIONS, catch_report, handbook, scanned

__all__ = ["CATCH", "LAYOUT", "QUESTIONS", "UNANSWERABLE", "VERSIONS", "catch_report", "handbook", "scanned"]
