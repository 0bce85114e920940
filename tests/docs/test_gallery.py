"""The gallery page is what the templates say today."""

from __future__ import annotations

from pathlib import Path

from grounded.cli.gallery import gallery
from grounded.prompting import list_templates

PAGE = Path(__file__).parents[2] / "docs" / "gallery.md"


def test_the_gallery_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == gallery(), "run: python -m grounded.cli.gallery docs/gallery.md"


def test_it_shows_every_template_and_all_their_cases_pass() -> None:
    page = PAGE.read_text("utf-8")
    for name in list_templates():
        assert not name.startswith("core/") or f"\n## {name}\n" in page
    for line in page.splitlines():
        if line.endswith("pass without a model."):
            assert line.split()[2] == line.split()[-5], line
