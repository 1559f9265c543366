"""The editor that the user likes."""

import shlex
import sys
from pathlib import Path

import pytest

from vllm_gateway.terminal.chat.editor import EditorMissing, edited


def test_the_text_comes_back_as_it_was_edited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """VISUAL counts before EDITOR, and may have arguments of its own."""
    program = tmp_path / "editor.py"
    program.write_text(
        "import pathlib, sys\npath = pathlib.Path(sys.argv[2])\npath.write_text(path.read_text() + sys.argv[1])",
        encoding="utf-8",
    )
    monkeypatch.setenv("EDITOR", "false")
    monkeypatch.setenv("VISUAL", shlex.join([sys.executable, str(program), "more"]))
    assert edited("some ") == "some more"


@pytest.mark.parametrize(
    ("editor", "sentence"),
    [
        ("", "Set EDITOR"),
        ("no-such-editor-here", "cannot be started"),
        ("false", "ended with status 1"),
        ("'", "cannot be"),
    ],
)
def test_without_an_editor_the_text_stays(monkeypatch: pytest.MonkeyPatch, editor: str, sentence: str) -> None:
    """Each way to fail is one sentence."""
    monkeypatch.setenv("EDITOR", editor)
    monkeypatch.delenv("VISUAL", raising=False)
    with pytest.raises(EditorMissing, match=sentence):
        edited("text")
