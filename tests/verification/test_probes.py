"""Hand-written pairs of a source and a claim: one word, number or name changed, and harmless look-alikes.

``probes.tsv`` says what the rules alone must make of each: ``supported``, ``contradicted``, ``failing`` (anything but
supported) or ``open`` (anything but contradicted).
"""

import csv
from pathlib import Path

import pytest

from grounded import verify

with Path(__file__).with_name("probes.tsv").open(encoding="utf-8", newline="") as table:
    PROBES = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
HOLDS = {
    "supported": {"supported"},
    "contradicted": {"contradicted"},
    "failing": {"contradicted", "unsupported"},
    "open": {"supported", "unsupported"},
}


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: f"{probe['domain']}: {probe['kind']}: {probe['claim']}")
def test_the_rules_tell_a_changed_word_from_a_harmless_one(probe: dict[str, str]) -> None:
    (claim,) = verify(probe["claim"], [probe["source"]], verifier="containment").claims
    assert claim.verdict in HOLDS[probe["expected"]], claim.reason


def test_the_table_asks_for_every_verdict_in_every_domain() -> None:
    asked = {(probe["domain"], probe["expected"]) for probe in PROBES}
    assert asked == {(domain, expected) for domain, _ in asked for expected in HOLDS}
