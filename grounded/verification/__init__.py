"""Verification: claims, evidence, deterministic checks, entailment, citations."""

from grounded.verification.aggregation import Thresholds
from grounded.verification.containment import ContainmentModel
from grounded.verification.markers import Marker, markers, render_marker, strip_markers
from grounded.verification.policies import POLICIES, REPAIR_TRIES, Rewrite, check_policy, fails, follow, withheld
from grounded.verification.sources import passages_from
from grounded.verification.streaming import AnswerStream, CheckEvent, replay, verify_stream
from grounded.verification.verifying import Prepared, Verifier, verify

__all__ = [
    "POLICIES",
    "REPAIR_TRIES",
    "AnswerStream",
    "CheckEvent",
    "ContainmentModel",
    "Marker",
    "Prepared",
    "Rewrite",
    "Thresholds",
    "Verifier",
    "check_policy",
    "fails",
    "follow",
    "markers",
    "passages_from",
    "render_marker",
    "replay",
    "strip_markers",
    "verify",
    "verify_stream",
    "withheld",
]
