"""Verification: claims, evidence, deterministic checks, entailment, citations."""

from grounded.verification.aggregation import Thresholds
from grounded.verification.containment import ContainmentModel
from grounded.verification.markers import Marker, markers, render_marker, strip_markers
from grounded.verification.sources import passages_from
from grounded.verification.streaming import AnswerStream
from grounded.verification.verifying import Prepared, Verifier, verify

__all__ = [
    "AnswerStream",
    "ContainmentModel",
    "Marker",
    "Prepared",
    "Thresholds",
    "Verifier",
    "markers",
    "passages_from",
    "render_marker",
    "strip_markers",
    "verify",
]
