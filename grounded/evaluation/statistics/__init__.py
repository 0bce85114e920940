"""How sure a figure and a difference are: intervals, paired tests, corrections, and how much more data would tell."""

from grounded.evaluation.statistics.comparison import compare, summarise

__all__ = ["compare", "summarise"]
