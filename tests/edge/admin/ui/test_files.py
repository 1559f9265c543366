"""What the page is made of."""

import re

import pytest

from vllm_gateway.edge.admin.ui.files import HEADERS, INDEX, page_files

FILES = page_files()
TEXTS = {name: file.content.decode() for name, file in FILES.items()}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_asks_for_files_of_the_page_only(name: str) -> None:
    """Nothing is loaded from elsewhere, and nothing that is not there."""
    named = re.findall(r"""(?:src|href)="([^"#]+)"|from "([^"]+)"|url\(([^)]+)\)""", TEXTS[name])
    for place in filter(None, (part for parts in named for part in parts)):
        assert place.removeprefix("/ui/") in FILES
    assert "http" not in TEXTS[name].replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("name", sorted(FILES))
def test_data_never_becomes_markup(name: str) -> None:
    """What a gateway tells may be anything that a caller has written."""
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert way not in TEXTS[name]


def test_nothing_stands_in_the_page_that_its_policy_forbids() -> None:
    """No script and no style within the markup."""
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", TEXTS[INDEX])


def test_every_file_has_its_type_and_a_tag_of_its_own() -> None:
    """So that browsers guess nothing, and fetch nothing twice."""
    assert len({file.etag for file in FILES.values()}) == len(FILES)
    assert FILES["app.js"].media_type.startswith("text/javascript")
    assert "default-src 'none'" in HEADERS["content-security-policy"]
    assert "unsafe" not in HEADERS["content-security-policy"]
