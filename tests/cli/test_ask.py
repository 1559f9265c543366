"""`vllm-gateway ask`: its flags. What it does with them is tested in `tests/terminal/ask`."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from vllm_gateway.terminal.api import Target
from vllm_gateway.terminal.ask import Question
from vllm_gateway.terminal.parameters import Parameters


def piped(data: bytes) -> io.TextIOWrapper:
    """Return bytes as stdin has them."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch, here: Path) -> list[tuple[Target, Question, bool]]:
    """Note what would be asked, and ask nothing."""
    found: list[tuple[Target, Question, bool]] = []

    def run_instead(target: Target, question: Question, *, by_step: bool) -> int:
        found.append((target, question, by_step))
        return 0

    monkeypatch.setattr("vllm_gateway.terminal.ask.run", run_instead)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here))
    monkeypatch.setattr(sys, "stdin", piped(b""))
    return found


def test_each_flag_arrives(run: Run, questions: list[Any]) -> None:
    """What is given is asked; what is not is left to the gateway."""
    flags = "--url a:1 --api-key k --model m --system s --temperature 0 --top-p 0.5 --max-tokens 5 --seed 3"
    assert run("ask", "Why?", *flags.split(), "--json", "--no-stream", "--step")[0] == 0
    assert run("ask", "Why?", "--session", "sess_1")[0] == 0
    (target, question, by_step), (usual, plain, _) = questions
    assert (target, by_step) == (Target("a", 1, key="k"), True)
    assert question == Question(
        "Why?",
        model="m",
        system="s",
        parameters=Parameters(0.0, 0.5, 5, 3),
        is_streamed=False,
        is_json=True,
        may_be_cut=True,
    )
    assert (usual, plain) == (Target("127.0.0.1", 8080), Question("Why?", session="sess_1"))


def test_what_is_piped_is_asked_too(run: Run, questions: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the question; bytes that are no text are replaced."""
    monkeypatch.setattr(sys, "stdin", piped(b"log \xff\n"))
    assert run("ask", "What failed?")[0] == 0
    assert questions[0][1].text == "What failed?\n\nlog \ufffd"


def test_a_profile_of_the_users_settings_is_taken(run: Run, here: Path, questions: list[Any]) -> None:
    """Its model, prompt and parameters; flags win over it, and a session has a model of its own."""
    folder = here / "vllm-gateway"
    folder.mkdir()
    (folder / "terminal.toml").write_text("[profiles.coder]\nmodel = 'large'\ntop_p = 0.5\n", encoding="utf-8")
    assert run("ask", "Why?", "--profile", "coder", "--top-p", "1")[0] == 0
    assert run("ask", "Why?", "--profile", "coder", "--session", "sess_1")[0] == 0
    assert [(each.model, each.parameters.top_p) for _, each, _ in questions] == [("large", 1.0), (None, 0.5)]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("", "Nothing was asked."),
        ("x --temperature 3", "temperature is a number from 0 to 2, not '3.0'."),
        ("x --url ftp://a", "'ftp://a' is no address of a gateway"),
        ("x --profile p", "There is no profile 'p'"),
        ("x --step --session s", "--step begins a session of its own"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(run: Run, questions: list[Any], flags: str, sentence: str) -> None:
    """Nothing is asked."""
    code, out, err = run("ask", *flags.split())
    assert (code, out, questions) == (2, "", [])
    assert sentence in " ".join(err.split())
