"""Check an answer that came from anywhere. No knowledge base, no model server, no key.

python examples/verify_only.py
"""

from grounded import verify

SOURCES = [
    {"title": "Returns", "text": "You can return any unused appliance within 30 days of delivery."},
    {"title": "Shipping", "text": "Express delivery costs 12 euros and arrives on the next working day."},
]
ANSWER = "You can return any unused appliance within 60 days of delivery [1]. Express delivery costs 12 euros [2]."

report = verify(ANSWER, SOURCES)
for claim in report.claims:
    print(f"{claim.verdict:12}  {claim.text}")
    for evidence in claim.evidence:
        place = f"{evidence.title}, {evidence.span.start}–{evidence.span.end}"
        print(f"{'':12}  {evidence.relation}: “{evidence.text}” ({place})")
    for citation in claim.citations:
        print(f"{'':12}  citation {citation.marker}: {citation.status}")
print(f"groundedness {report.groundedness:.0%}, complete: {report.complete}")
