"""Measuring answers: data sets, metrics, statistics and gates. Nothing here asks or verifies; ``evaluating`` does."""
