"""What the user said and what a tool returned are sources too, and are shown as such.

python examples/own_sources.py
"""

from grounded import verify

SOURCES = [
    {"role": "user", "content": "I ordered the kettle on 3 May 2026 and live in Lyon."},
    {"role": "tool", "name": "orders.lookup", "content": "Order 17: one kettle, shipped on 4 May 2026."},
    {"title": "Shipping", "text": "Standard delivery takes three working days."},
]
ANSWER = """\
You ordered the kettle on 3 May 2026 [1]. The kettle was shipped on 6 May 2026 [2].
Standard delivery takes three working days [3]."""

for claim in verify(ANSWER, SOURCES).claims:
    print(f"{claim.verdict:12}  {claim.text}")
    for evidence in claim.evidence:
        print(f"{'':12}  {evidence.relation}: {evidence.place()}: “{evidence.text}”")
