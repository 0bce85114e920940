"""Metrics, each with a card: what it measures, its range, what it needs, and who measures."""

from grounded.evaluation.metrics.base import Measure, Metric, Sample, metric
from grounded.evaluation.metrics.choosing import DEFAULT, as_metrics, load_metric

__all__ = ["DEFAULT", "Measure", "Metric", "Sample", "as_metrics", "load_metric", "metric"]
