"""A profile in a JSON file."""

from pathlib import Path

import pytest

from vllm_gateway.terminal.parameters import Parameters
from vllm_gateway.terminal.profile_file import read_profile_file
from vllm_gateway.terminal.settings import Profile, SettingsMistaken, TerminalSettings

USUAL = TerminalSettings(profile=Profile("usual", "Be kind.", Parameters(seed=1)))


def test_the_usual_names_are_understood(tmp_path: Path) -> None:
    """Flat or in inner objects, and what is unknown is passed over; flags win."""
    path = tmp_path / "chat.example.json"
    path.write_text(
        '{"base_url": "http://a:1/v1", "apiKey": "k", "model": "m", "systemPrompt": "Be brief.", "theme": "moss",'
        ' "params": {"temperature": 0.5, "max_tokens": 9}, "history": []}',
        encoding="utf-8",
    )
    settings, profile = read_profile_file(path, USUAL, url=None, api_key="flag")
    assert (settings.url, settings.api_key, settings.color_theme) == ("http://a:1/v1", "flag", "moss")
    assert profile == Profile("m", "Be brief.", Parameters(temperature=0.5, max_tokens=9, seed=1))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("[]", "must hold an object"),
        ('{"url": 1}', "url must be a text"),
        ('{"model": 1}', "model must be a text"),
        ('{"temperature": 9}', "temperature is a number"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str | None, sentence: str) -> None:
    """It names the file, or the parameter."""
    path = tmp_path / "chat.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises((SettingsMistaken, ValueError), match=sentence):
        read_profile_file(path, USUAL, url=None, api_key=None)
