"""The demo: a small handbook that travels with the package, and the questions asked of it."""

from grounded.demo.story import CATCH, QUESTIONS, UNANSWERABLE, VERSIONS, catch_report, handbook

__all__ = ["CATCH", "QUESTIONS", "UNANSWERABLE", "VERSIONS", "catch_report", "handbook"]
