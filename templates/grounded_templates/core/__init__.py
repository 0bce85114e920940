"""The first-party pack: metaprompts for question answering, with the guardrails they share."""
