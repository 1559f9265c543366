"""`vllm-gateway top`, up to the moment when it asks."""

import subprocess
import sys
from pathlib import Path

import pytest

from vllm_gateway.cli.program import status
from vllm_gateway.cli.top import _target

KEY = "an-admin-key-of-the-tests"


@pytest.fixture(autouse=True)
def _no_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may have wishes of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("GATEWAY_AUTH__ADMIN_KEY", raising=False)


def settings(folder: Path, text: str) -> Path:
    """Write a settings file that only its owner may read."""
    path = folder / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_the_settings_of_the_machine_say_where_and_with_which_key(tmp_path: Path) -> None:
    """What is said on the command line comes first."""
    config = settings(tmp_path, f"admin: {{port: 9191}}\nauth: {{admin_key: {KEY}}}\n")
    target = _target(None, None, config)
    assert target is not None
    assert (target.url, target.key) == ("http://127.0.0.1:9191", KEY)
    other = _target("http://127.0.0.1:9292", None, config)
    assert other is not None
    assert (other.url, other.key) == ("http://127.0.0.1:9292", KEY)


def test_settings_that_are_not_needed_are_not_read(tmp_path: Path) -> None:
    """They may be wrong, or another gateway's."""
    config = settings(tmp_path, "nonsense: 1\n")
    assert _target("http://127.0.0.1:9292", KEY, config) is not None
    assert _target("http://127.0.0.1:9292", None, config) is None


@pytest.mark.parametrize(
    ("arguments", "exit_status", "said"),
    [
        (["top", "--json"], 2, "--json needs --once"),
        (["top", "--url", "ftp://x", "--admin-key", KEY, "--once"], 1, "no address"),
        (["top", "--preset", "6"], 2, "--preset"),
        (["top", "--every-s", "0"], 2, "--every-s"),
        (["top", "--url", "http://127.0.0.1:1", "--admin-key", KEY, "--once"], 1, "No gateway answers"),
        (["top", "--url", "http://127.0.0.1:1", "--admin-key", KEY], 1, "needs a terminal"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    arguments: list[str], exit_status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 for a mistake in its use, 1 for what it found."""
    assert status(arguments) == exit_status
    assert said in capsys.readouterr().err


def test_one_picture_needs_no_textual() -> None:
    """Scripts run where nobody installs a screen."""
    without = (
        "import sys; sys.modules['textual'] = None\n"
        "from vllm_gateway.cli.program import status\n"
        f"given = ['top', '--url', 'http://127.0.0.1:1', '--admin-key', {KEY!r}]\n"
        "print(status([*given, '--once']), status(given))\n"
    )
    ran = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, timeout=50, check=False)
    assert ran.stdout == "1 1\n"
    first, second = ran.stderr.splitlines()
    assert "No gateway answers" in first
    assert "pip install 'vllm-gateway[tui]'" in second


def test_what_the_users_file_says_wrongly_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is asked."""
    path = tmp_path / "config" / "vllm-gateway" / "terminal.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[top]\npreset = 9\n", encoding="utf-8")
    assert status(["top", "--once"]) == 1
    assert "top.preset must be one of" in capsys.readouterr().err
