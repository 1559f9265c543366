"""A conversation as a file."""

from pathlib import Path

from vllm_gateway.terminal.chat.exporting import file_name, written


def test_any_title_makes_a_name() -> None:
    """Without what some system would not take."""
    assert file_name("What is: a/b?") == "What-is-a-b.md"
    assert file_name("../..") == file_name("") == "chat.md"
    assert len(file_name("x" * 300)) == 63


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A name that is taken gets a number."""
    paths = [written(tmp_path / "chat.md", text) for text in (b"1", b"2", b"3")]
    assert [path.name for path in paths] == ["chat.md", "chat-2.md", "chat-3.md"]
    assert [path.read_bytes() for path in paths] == [b"1", b"2", b"3"]
