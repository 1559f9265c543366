"""`vllm-gateway chat`: its flags. What it does with them is tested in `tests/terminal/chat`."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from vllm_gateway.terminal.api import Target
from vllm_gateway.terminal.chat import Wishes
from vllm_gateway.terminal.parameters import Parameters
from vllm_gateway.terminal.settings import Profile


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch, here: Path) -> list[Wishes]:
    """Note what would be shown, and show nothing."""
    found: list[Wishes] = []

    def run_instead(each: Wishes) -> int:
        found.append(each)
        return 0

    monkeypatch.setattr("vllm_gateway.terminal.chat.run", run_instead)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here))
    return found


def test_each_flag_arrives(run: Run, wishes: list[Wishes]) -> None:
    """What is given counts; what is not is as usual."""
    flags = "--url a:1 --api-key k --model m --system s --session last --theme moss"
    assert run("chat", *flags.split())[0] == 0
    assert run("chat")[0] == 0
    given, usual = wishes
    assert given.settings.target() == Target("a", 1, key="k")
    assert (given.profile, given.session, given.settings.color_theme) == (Profile("m", "s"), "last", "moss")
    assert (usual.profile, usual.session, usual.settings.color_theme) == (Profile(), None, "system")


def test_a_profile_may_be_a_file(run: Run, here: Path, wishes: list[Wishes]) -> None:
    """In JSON; flags win over it."""
    (here / "chat.example.json").write_text('{"url": "b:2", "model": "m", "temperature": 0}', encoding="utf-8")
    assert run("chat", "--profile", "chat.example.json", "--model", "other")[0] == 0
    assert wishes[0].settings.url == "b:2"
    assert wishes[0].profile == Profile("other", None, Parameters(temperature=0.0))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--url ftp://a", "is no address of a gateway"),
        ("--profile x", "no profile 'x'"),
        ("--profile x.json", "cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, wishes: list[Wishes], flags: str, sentence: str) -> None:
    """Nothing is shown."""
    code, out, err = run("chat", *flags.split())
    assert (code, out, wishes) == (2, "", [])
    assert sentence in " ".join(err.split())
