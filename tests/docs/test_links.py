"""The pages that people read: every link inside of the repository leads somewhere."""

import re
from pathlib import Path

import pytest
import yaml

from tests.house.files import ROOT, written_files

PAGES = sorted(path for path in written_files() if path.suffix == ".md")

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MkDocs make them."""
    found = set()
    for heading in re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE
    ):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        found |= {plain.replace(" ", "-"), re.sub(r"[-\s]+", "-", plain.strip())}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it."""
    text = _CODE.sub("", page.read_text("utf-8"))
    for link in _LINK.findall(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_the_site_holds_every_page() -> None:
    """And none that is not there."""
    told = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))

    def named(item: object) -> set[str]:
        if isinstance(item, str):
            return {item}
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        return {name for each in inner for name in named(each)}

    pages = {str(path.relative_to(ROOT / "docs")) for path in PAGES if path.is_relative_to(ROOT / "docs")}
    assert named(told["nav"]) == pages
    assert told["strict"] is True
