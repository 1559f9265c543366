"""The folder for what survives a restart."""

from pathlib import Path

import pytest

from vllm_gateway.settings.state_folder import state_folder

HOME = Path.home()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, HOME / ".local/state"),
        ("linux", {"XDG_STATE_HOME": "/state"}, Path("/state")),
        ("linux", {"XDG_STATE_HOME": ""}, HOME / ".local/state"),
        ("linux", {"XDG_STATE_HOME": "relative"}, HOME / ".local/state"),
        ("darwin", {"XDG_STATE_HOME": "/state"}, HOME / "Library/Application Support"),
        ("win32", {"LOCALAPPDATA": "/Local"}, Path("/Local")),
        ("win32", {}, HOME / "AppData/Local"),
    ],
)
def test_it_is_where_the_platform_keeps_such_things(platform: str, environment: dict[str, str], expected: Path) -> None:
    """In a folder of the gateway's own; a relative path in `XDG_STATE_HOME` does not count."""
    assert state_folder(environment, platform) == expected / "vllm-gateway"


def test_it_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is given."""
    monkeypatch.setenv("XDG_STATE_HOME", "/elsewhere")
    assert state_folder(platform="linux") == Path("/elsewhere/vllm-gateway")


def test_a_user_without_a_home_keeps_it_in_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A container may run as any number."""

    def unknown() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.chdir(tmp_path)
    assert state_folder({}, "linux") == tmp_path / ".local/state/vllm-gateway"
