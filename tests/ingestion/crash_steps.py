"""The states that a source passes through while it is synced and killed."""

from __future__ import annotations

import random

DOCUMENTS = 150
STEPS = 60


def steps() -> list[dict[str, str]]:
    """What the source holds at each step: documents change, grow, shrink, go and come back."""
    chance = random.Random(20261122)
    words = [f"word{n}" for n in range(300)]

    def text() -> str:
        return "\n\n".join(" ".join(chance.choices(words, k=4)) for _ in range(chance.randint(1, 8)))

    now = {f"doc{n:03}.md": text() for n in range(DOCUMENTS)}
    found = [dict(now)]
    for _ in range(STEPS - 1):
        for key in chance.sample([f"doc{n:03}.md" for n in range(DOCUMENTS)], 90):
            match chance.randrange(4):
                case 0:
                    now.pop(key, None)
                case 1 if key in now:
                    now[key] = "new start\n\n" + now[key]
                case _:
                    now[key] = text()
        found.append(dict(now))
    return found
