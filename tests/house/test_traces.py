"""Nothing in the repository says where it was made."""

from pathlib import Path

import pytest

from tests.house.files import written_files
from tests.house.traces import traces

HERE = "/" + "work"
INDEX = "py" + "pi.org"
HOSTED = "files.python" + "hosted.org"


def test_nothing_gives_the_workplace_away() -> None:
    """Neither a path nor the host of a package index: both differ where it is used."""
    assert [line for path in written_files() for line in traces(path)] == []


@pytest.mark.parametrize(
    "line",
    [
        f"cd {HERE}/main",
        f"see '{HERE}'",
        f"{HERE}",
        "as in .." + "/shared/DESIGN.md",
        "the ." + "library/search",
        f"https://{INDEX}/project/x",
        f"from {HOSTED}.",
        "--index-" + "url https://example.net",
        "--extra-index-" + "url=https://example.net",
        "index-" + 'url = "https://example.net"',
        "https://mirror.example.net/root" + "/simple",
    ],
)
def test_the_rule_sees_a_trace(tmp_path: Path, line: str) -> None:
    """Wherever on a line, and the report says on which."""
    page = tmp_path / "page.md"
    page.write_text(f"first\nthen {line}\n")
    (found,) = traces(page)
    assert found.startswith("page.md:2: ")
    page.write_text(line)
    assert len(traces(page)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "framework/work/flow",
        "the work/life balance",
        "a network/workload",
        "https://example.net/work/1",
        "a simple list /simple things",
        "shared/ and library",
        "uv pip compile --no-emit-index-" + "url --no-header",
        "--extra-index-" + "url=$INDEX",
    ],
)
def test_the_rule_lets_words_stand(tmp_path: Path, line: str) -> None:
    """Ordinary words are no traces."""
    page = tmp_path / "page.md"
    page.write_text(line)
    assert traces(page) == []


def test_what_is_no_text_is_not_read(tmp_path: Path) -> None:
    """A picture has no lines."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\xff" + HERE.encode())
    assert traces(picture) == []
