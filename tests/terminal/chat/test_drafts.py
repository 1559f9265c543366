"""What was typed is never lost."""

import os
import subprocess
import sys
from pathlib import Path

from vllm_gateway.terminal.chat.drafts import Drafts


def test_each_conversation_has_its_own_text(tmp_path: Path) -> None:
    """It is there until it is sent, and then the file is gone."""
    drafts = Drafts(tmp_path / "drafts")
    assert drafts.read("sess_1") == ""
    assert drafts.write("sess_1", "first\nsecond")
    assert drafts.write(None, "new")
    assert (Drafts(tmp_path / "drafts").read("sess_1"), drafts.read(None)) == ("first\nsecond", "new")
    assert drafts.write("sess_1", " \n")
    assert [path.name for path in (tmp_path / "drafts").iterdir()] == [f"new-{os.getpid()}.txt"]


def test_what_a_dead_chat_left_is_taken_over(tmp_path: Path) -> None:
    """But not what another one that runs is writing, and not what is no draft."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f"new-{os.getppid()}.txt").write_text("another's", encoding="utf-8")
    (tmp_path / "new-x.txt").write_text("nobody's", encoding="utf-8")
    (tmp_path / f"new-{ended.pid}.txt").write_text("left behind", encoding="utf-8")
    assert Drafts(tmp_path).read(None) == "left behind"
    assert not (tmp_path / f"new-{ended.pid}.txt").exists()


def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Writing says that it was not possible, and reading finds nothing; odd ids name no other file."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not Drafts(tmp_path / "file").write("sess_1", "text")
    assert Drafts(tmp_path / "file").read("sess_1") == ""
    drafts = Drafts(tmp_path / "in")
    assert drafts.write("../../outside", "text")
    assert [path.name for path in (tmp_path / "in").iterdir()] == [f"new-{os.getpid()}.txt"]
