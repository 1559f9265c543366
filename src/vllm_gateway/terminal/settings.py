"""`terminal.toml`: what the user of a terminal has chosen. Flags win over the environment, and that over the file."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vllm_gateway.settings.config_folder import config_home
from vllm_gateway.settings.surroundings import said
from vllm_gateway.terminal.api.target import DEFAULT_URL, Target
from vllm_gateway.terminal.keys import read_keys
from vllm_gateway.terminal.parameters import BOUNDS, Parameters

URL_VARIABLE = "VLLM_GATEWAY_URL"
KEY_VARIABLE = "VLLM_GATEWAY_API_KEY"


class SettingsMistaken(Exception):
    """What is wrong with the file, in one sentence."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A model, what it is told first, and how it answers."""

    model: str | None = None
    system: str | None = None
    parameters: Parameters = field(default_factory=Parameters)


@dataclass(frozen=True, slots=True)
class TerminalSettings:
    """All that can be chosen."""

    url: str = DEFAULT_URL
    api_key: str | None = field(default=None, repr=False)
    color_theme: str = "system"
    theme_background: bool = True
    """False: the terminal's own background shows."""
    show_thinking: bool = False
    """Whether a model's thoughts are unfolded."""
    profile: Profile = field(default_factory=Profile)
    """What counts when no other profile is asked for."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by the id of what they do, several with commas between them."""
    top: Mapping[str, Any] = field(default_factory=dict)
    """What `top` alone reads."""

    def target(self) -> Target:
        """Return the gateway that is meant; raise `ValueError` when its address or key cannot be one."""
        return Target.at(self.url, self.api_key)

    def named(self, name: str | None) -> Profile:
        """Return a profile, with the usual one where it says nothing.

        Raises:
            SettingsMistaken: there is none of this name.
        """
        if name is None:
            return self.profile
        if name not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise SettingsMistaken(f"There is no profile '{name}' in {settings_path()}. Known: {known}.")
        return over(self.profiles[name], self.profile)


def over(profile: Profile, other: Profile) -> Profile:
    """Return a profile, and where it says nothing, another one."""
    return Profile(
        profile.model or other.model,
        profile.system or other.system,
        profile.parameters.over(other.parameters),
    )


def settings_path() -> Path:
    """Return where the file is, or would be."""
    return config_home() / "vllm-gateway" / "terminal.toml"


def load_settings(*, url: str | None = None, api_key: str | None = None) -> TerminalSettings:
    """Return what counts now: the flags that are given, the environment, the file, what is usual.

    Raises:
        SettingsMistaken: the file cannot be read, or something in it is wrong.
    """
    path = settings_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsMistaken(f"{path} cannot be read: {fault}.") from fault
    try:
        settings = read_settings(text)
    except SettingsMistaken as mistake:
        raise SettingsMistaken(f"{path}: {mistake}") from mistake
    return replace(
        settings,
        url=url or said(URL_VARIABLE) or settings.url,
        api_key=api_key or said(KEY_VARIABLE) or settings.api_key,
    )


def read_settings(text: str) -> TerminalSettings:
    """Return what a file says; raise `SettingsMistaken` for the first thing in it that cannot be."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise SettingsMistaken(f"this is no TOML: {fault}.") from fault
    usual: dict[str, Any] = _table(told, "parameters")
    usual |= {name: told[name] for name in ("model", "system") if name in told}
    _demand_known(told, (*_KINDS, "model", "system", "parameters", "profiles", "keys", "top"), "")
    for name, kind in _KINDS.items():
        if name in told and not isinstance(told[name], kind):
            raise SettingsMistaken(f"{name} must be {'true or false' if kind is bool else 'a text'}.")
    tables = _table(told, "profiles")
    try:
        return TerminalSettings(
            **{name: told[name] for name in _KINDS if name in told},
            profile=read_profile(usual, "parameters"),
            profiles={name: read_profile(_table(tables, name), f"profiles.{name}") for name in tables},
            keys=read_keys(_table(told, "keys")),
            top=_table(told, "top"),
        )
    except ValueError as mistake:
        raise SettingsMistaken(str(mistake)) from mistake


_KINDS: Mapping[str, type] = {
    "url": str,
    "api_key": str,
    "color_theme": str,
    "theme_background": bool,
    "show_thinking": bool,
}


def read_profile(table: Mapping[str, Any], place: str) -> Profile:
    """Return a profile; raise `SettingsMistaken` or `ValueError` when it cannot be one."""
    _demand_known(table, ("model", "system", *BOUNDS), f"{place}.")
    for name in ("model", "system"):
        if not isinstance(table.get(name, ""), str):
            raise SettingsMistaken(f"{place}.{name} must be a text.")
    return Profile(table.get("model"), table.get("system"), Parameters.read(table))


def _demand_known(table: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}."
            raise SettingsMistaken(f"nothing is called {place}{name}; {meant}")


def _table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise SettingsMistaken(f"{name} must be a table: [{name}].")
    return found
