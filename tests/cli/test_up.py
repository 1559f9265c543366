"""`vllm-gateway up`, up to the moment when something is started."""

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up",), "Name a model"),
        (("up", "a", "--tp", "2", "--gpus", "1"), "give --gpus 2"),
        (("up", "a", "--engine-command", "no-such-program serve"), "no command 'no-such-program'"),
        (("up", "a", "--engine-command", "it's"), "no command 'it's'"),
        (("up", "a", "--engine-command", ""), "--engine-command is empty"),
        (("up", "a", "--engine-command", "true", "--host", "192.0.2.1"), "cannot listen on 192.0.2.1"),
        (("up", "--", "--api-key"), "would take it for a flag"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(arguments: tuple[str, ...], said: str, run: Run) -> None:
    """Nothing is started."""
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert said in err


def test_a_missing_vllm_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way to get it."""
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = run("up", "a")
    assert code == 1
    assert "vLLM is not installed here" in err


def test_names_of_earlier_start_scripts_are_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model and its size may come from the environment."""
    monkeypatch.setenv("DEFAULT_MODEL", "a")
    monkeypatch.setenv("TP_SIZE", "2")
    code, _, err = run("up", "--gpus", "3", "--engine-command", "no-such-program")
    assert code == 1
    assert "groups of --tp 2" in err


def test_settings_that_are_wrong_are_told_before_a_model_is_loaded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each."""
    monkeypatch.setenv("GATEWAY_DRAIN_S", "soon")
    code, out, err = run("up", "a", "--engine-command", "true")
    assert (code, out) == (1, "")
    assert "GATEWAY_DRAIN_S" in err
