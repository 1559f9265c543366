"""A profile in a JSON file, under the names that chats usually give to such things."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vllm_gateway import codec
from vllm_gateway.terminal.parameters import BOUNDS
from vllm_gateway.terminal.settings import Profile, SettingsMistaken, TerminalSettings, over, read_profile

_NAMES: Mapping[str, tuple[str, ...]] = {
    "url": ("url", "base_url", "api_base", "api_url", "gateway_url", "endpoint", "server"),
    "api_key": ("api_key", "apiKey", "key", "token", "vllm_api_key"),
    "model": ("model", "default_model", "modelKey"),
    "system": ("system", "system_prompt", "systemPrompt"),
    "color_theme": ("color_theme", "theme"),
    "max_tokens": ("max_tokens", "maxTokens", "max_new_tokens"),
    "top_p": ("top_p", "topP"),
    "temperature": ("temperature",),
    "seed": ("seed",),
}
_INNER = ("parameters", "params", "sampling", "generation", "chat", "defaults")
"""Objects in which some keep a part of it."""


def read_profile_file(
    path: Path, settings: TerminalSettings, *, url: str | None, api_key: str | None
) -> tuple[TerminalSettings, Profile]:
    """Return the settings with what the file says of them, and its profile; what it says besides is passed over.

    Raises:
        SettingsMistaken: it cannot be read, or something in it cannot be.
    """
    try:
        told = codec.loads(path.read_bytes())
    except OSError as fault:
        raise SettingsMistaken(f"{path} cannot be read: {fault.strerror}.") from fault
    except codec.MalformedJson as fault:
        raise SettingsMistaken(f"{path} is no JSON: {fault}.") from fault
    if not isinstance(told, dict):
        raise SettingsMistaken(f"{path} must hold an object.")
    found = _found(told)
    for name in ("url", "api_key", "color_theme"):
        if not isinstance(found.get(name, ""), str):
            raise SettingsMistaken(f"{path}: {name} must be a text.")
    settings = replace(
        settings,
        url=url or found.get("url") or settings.url,
        api_key=api_key or found.get("api_key") or settings.api_key,
        color_theme=found.get("color_theme") or settings.color_theme,
    )
    table = {name: value for name, value in found.items() if name in {"model", "system", *BOUNDS}}
    return settings, over(read_profile(table, str(path)), settings.profile)


def _found(told: Mapping[str, Any]) -> dict[str, Any]:
    places = [*(told[name] for name in _INNER if isinstance(told.get(name), dict)), told]
    found: dict[str, Any] = {}
    for place in places:
        for name, synonyms in _NAMES.items():
            for synonym in synonyms:
                if place.get(synonym) not in (None, "") and not isinstance(place[synonym], dict | list):
                    found[name] = place[synonym]
                    break
    return found
