"""`terminal.toml`."""

from pathlib import Path

import pytest

from vllm_gateway.terminal.parameters import Parameters
from vllm_gateway.terminal.settings import (
    Profile,
    SettingsMistaken,
    TerminalSettings,
    load_settings,
    read_settings,
    settings_path,
)

FILE = """
url = "https://ai.example"
api_key = "k"
color_theme = "moss"
theme_background = false
show_thinking = true
model = "m"
system = "Be brief."

[parameters]
temperature = 0.5
seed = 7

[profiles.coder]
model = "large"
temperature = 0

[keys]
"chat.send" = "ctrl+x"

[top]
every_s = 2
"""


def test_a_file_says_everything() -> None:
    """Each setting arrives, and a profile falls back to the usual one."""
    settings = read_settings(FILE)
    assert settings == TerminalSettings(
        url="https://ai.example",
        api_key="k",
        color_theme="moss",
        theme_background=False,
        show_thinking=True,
        profile=Profile("m", "Be brief.", Parameters(temperature=0.5, seed=7)),
        profiles={"coder": Profile("large", None, Parameters(temperature=0.0))},
        keys={"chat.send": "ctrl+x"},
        top={"every_s": 2},
    )
    assert settings.named("coder") == Profile("large", "Be brief.", Parameters(temperature=0.0, seed=7))
    assert settings.named(None) is settings.profile
    assert settings.target().is_tls
    with pytest.raises(SettingsMistaken, match=r"no profile 'x' .* Known: coder"):
        settings.named("x")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("url =", "this is no TOML"),
        ("urll = 'x'", "nothing is called urll; did you mean url?"),
        ("url = 1", "url must be a text"),
        ("show_thinking = 1", "show_thinking must be true or false"),
        ("profiles = 1", r"profiles must be a table: \[profiles\]"),
        ("[profiles]\nx = 1", "x must be a table"),
        ("[profiles.x]\nmodel = 1", "profiles.x.model must be a text"),
        ("[profiles.x]\ntemprature = 1", "nothing is called profiles.x.temprature; did you mean temperature?"),
        ("[parameters]\ntop_p = 2", "top_p is a number from 0 to 1, not '2'"),
        ("[keys]\n'chat.sned' = 'x'", "did you mean chat.send?"),
    ],
)
def test_a_mistake_is_one_sentence(text: str, sentence: str) -> None:
    """It names what is wrong and what may have been meant."""
    with pytest.raises(SettingsMistaken, match=sentence):
        read_settings(text)


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file everything is as usual, and a broken one is named."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("VLLM_GATEWAY_URL", "VLLM_GATEWAY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert load_settings() == TerminalSettings()
    settings_path().parent.mkdir()
    settings_path().write_text("url = 'file:1'\napi_key = 'file'", encoding="utf-8")
    monkeypatch.setenv("VLLM_GATEWAY_API_KEY", "variable")
    assert (load_settings().url, load_settings().api_key) == ("file:1", "variable")
    given = load_settings(url="flag:1", api_key="flag")
    assert (given.url, given.api_key) == ("flag:1", "flag")
    settings_path().write_bytes(b"\xff")
    with pytest.raises(SettingsMistaken, match=r"terminal\.toml cannot be read"):
        load_settings()
    settings_path().write_text("x = 1", encoding="utf-8")
    with pytest.raises(SettingsMistaken, match=r"terminal\.toml: nothing is called x"):
        load_settings()
