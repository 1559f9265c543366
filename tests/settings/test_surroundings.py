"""What the environment says."""

import pytest

from vllm_gateway.settings.surroundings import said, whole


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as if it were not set."""
    monkeypatch.setenv("EDITOR", "")
    assert said("EDITOR") is None
    monkeypatch.setenv("EDITOR", "vi")
    assert said("EDITOR") == "vi"


def test_programs_are_started_in_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is changed in it changes nothing here."""
    monkeypatch.setenv("EDITOR", "vi")
    whole()["EDITOR"] = "emacs"
    assert whole()["EDITOR"] == "vi"
