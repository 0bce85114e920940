"""The verifier and the retriever on trial: public sets in their published file formats, with the usual figures."""

from grounded.benchmarking.beir import RetrievalSet, read_beir
from grounded.benchmarking.claims import FORMATS, LabelledClaim, read_claims
from grounded.benchmarking.measures import area, balanced, best_threshold, f1, interval, ndcg, recall
from grounded.benchmarking.published import Published, published
from grounded.benchmarking.retrieving import RetrievalTrial, try_retriever
from grounded.benchmarking.verifying import VerifierTrial, try_verifier

__all__ = [
    "FORMATS",
    "LabelledClaim",
    "Published",
    "RetrievalSet",
    "RetrievalTrial",
    "VerifierTrial",
    "area",
    "balanced",
    "best_threshold",
    "f1",
    "interval",
    "ndcg",
    "published",
    "read_beir",
    "read_claims",
    "recall",
    "try_retriever",
    "try_verifier",
]
