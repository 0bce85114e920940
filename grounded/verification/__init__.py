"""Verification: claims, evidence, deterministic checks, entailment, citations."""

from grounded.verification.aggregation import Thresholds
from grounded.verification.calibration import calibrate
from grounded.verification.containment import ContainmentModel
from grounded.verification.drift import Drift, DriftMonitor
from grounded.verification.guarantees import labels_needed
from grounded.verification.labelling import Example
from grounded.verification.markers import STYLES, Marker, Style, markers, render_marker, strip_markers
from grounded.verification.naming import SourceNames
from grounded.verification.policies import POLICIES, REPAIR_TRIES, Rewrite, check_policy, fails, follow, withheld
from grounded.verification.prepared import Prepared
from grounded.verification.sources import passages_from
from grounded.verification.streaming import AnswerStream, CheckEvent, replay, verify_stream
from grounded.verification.verifying import Verifier, verify
from grounded.verification.writing import cite

__all__ = [
    "POLICIES",
    "REPAIR_TRIES",
    "STYLES",
    "AnswerStream",
    "CheckEvent",
    "ContainmentModel",
    "Drift",
    "DriftMonitor",
    "Example",
    "Marker",
    "Prepared",
    "Rewrite",
    "SourceNames",
    "Style",
    "Thresholds",
    "Verifier",
    "calibrate",
    "check_policy",
    "cite",
    "fails",
    "follow",
    "labels_needed",
    "markers",
    "passages_from",
    "render_marker",
    "replay",
    "strip_markers",
    "verify",
    "verify_stream",
    "withheld",
]
