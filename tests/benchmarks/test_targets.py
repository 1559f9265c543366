"""The programs that are measured."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import targets
from benchmarks.targets import NotStarted, Place, Started, Target, free_port, peer, pinned


def test_a_peer_is_given_the_ports(tmp_path: Path) -> None:
    """The command of a peer has the port it listens on and that of the replica."""
    other = peer("other=serve --port {port} --to 'http://127.0.0.1:{replica}/v1'")
    assert other.name == "other"
    assert other.command
    command = other.command(Place(port=1, replica=2, folder=tmp_path))
    assert command == ["serve", "--port", "1", "--to", "http://127.0.0.1:2/v1"]


@pytest.mark.parametrize("text", ["serve", "=serve {port} {replica}", "other=serve --port {port}", "other={replica}"])
def test_a_peer_without_name_or_ports_is_refused(text: str) -> None:
    """A command that could not be reached, or that would measure something else, is told before anything starts."""
    with pytest.raises(ValueError, match="is no peer"):
        peer(text)


def test_nginx_relays_to_the_replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed, its settings name both ports and turn buffering off."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    limit = targets.nginx()
    assert limit
    assert limit.command
    command = limit.command(Place(port=1001, replica=1002, folder=tmp_path))
    assert command[:3] == ["/bin/nginx", "-c", str(tmp_path / "nginx.conf")]
    settings = (tmp_path / "nginx.conf").read_text()
    assert "listen 127.0.0.1:1001 " in settings
    assert "server 127.0.0.1:1002;" in settings
    assert "proxy_buffering off;" in settings
    assert settings.count("{") == settings.count("}")


def test_without_nginx_there_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed it takes no part."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert targets.nginx() is None


def test_a_program_that_ends_at_once_is_told(tmp_path: Path) -> None:
    """The error says which program, and what it wrote."""
    broken = Target("broken", lambda _: [sys.executable, "-c", "raise SystemExit('no such model')"])
    behind = Started(pid=os.getpid(), port=free_port())
    with (
        pytest.raises(NotStarted, match=r"broken ended\. It wrote: no such model"),
        targets.started(broken, behind, tmp_path, core=None),
    ):
        pass


def test_a_program_has_a_core_and_an_environment_of_its_own(tmp_path: Path) -> None:
    """It runs where it was told to, no variable of ours reaches it, and it is gone afterwards."""
    core = max(os.sched_getaffinity(0))
    with targets.pinned(core), targets.replica(tmp_path) as replica:
        assert os.sched_getaffinity(replica.pid) == {core}
        names = {line.split(b"=")[0] for line in Path(f"/proc/{replica.pid}/environ").read_bytes().split(b"\0")}
        assert names - {b""} == {b"PATH", b"LC_ALL"}
    assert not Path(f"/proc/{replica.pid}").exists()


def test_pinning_ends() -> None:
    """Afterwards the process may run where it could before, and no core means no change."""
    before = os.sched_getaffinity(0)
    with pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    with pinned(None):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
