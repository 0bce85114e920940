import json
from pathlib import Path

from grounded.records.schemas import schemas

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def test_published_schemas_are_current() -> None:
    """Regenerate with: python -m grounded.records.schemas docs/schemas."""
    published = {path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    assert published == schemas()
