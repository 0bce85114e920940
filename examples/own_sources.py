"""What the user said and what a tool returned are sources too, and are shown as such.

python examples/own_sources.py
"""

from grounded import verify

SOURCES = [
    {"role": "user", "content": "I ordered the kettle on 3 May and live in Lyon."},
    {"role": "tool", "name": "orders.lookup", "content": "Order 17: one kettle, shipped on 4 May."},
    {"title": "Shipping", "text": "Standard delivery takes three working days."},
]
ANSWER = "You ordered the kettle on 3 May [1]. It was shipped on 6 May [2]. Standard delivery takes three working days."

for claim in verify(ANSWER, SOURCES).claims:
    print(f"{claim.verdict:12}  {claim.text}")
    for evidence in claim.evidence:
        print(f"{'':12}  {evidence.relation}: {evidence.place()}: “{evidence.text}”")
