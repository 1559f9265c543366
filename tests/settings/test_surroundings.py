"""What the environment says."""

import pytest

from vllm_gateway.settings.surroundings import said


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as if it were not set."""
    monkeypatch.setenv("EDITOR", "")
    assert said("EDITOR") is None
    monkeypatch.setenv("EDITOR", "vi")
    assert said("EDITOR") == "vi"
