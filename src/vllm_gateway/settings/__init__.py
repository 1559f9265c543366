"""Settings: what can be set (`model`), where values come from (`sources`), and what is wrong with them (`problems`).

`load` gathers every source into one tree, later sources over earlier ones, and validates it once. Nothing else reads
the environment. Whoever needs a setting is handed `Settings`.

The names below are imported by their first use: a terminal that only asks for a folder does not wait for all this.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vllm_gateway.settings.loading import Loaded, load, load_here
    from vllm_gateway.settings.model import Settings, Upstream
    from vllm_gateway.settings.problems import Problem, SettingsInvalid
    from vllm_gateway.settings.sources.reading import Assignment

__all__ = ["Assignment", "Loaded", "Problem", "Settings", "SettingsInvalid", "Upstream", "load", "load_here"]

_ROOMS = {
    "Assignment": "sources.reading",
    "Loaded": "loading",
    "Problem": "problems",
    "Settings": "model",
    "SettingsInvalid": "problems",
    "Upstream": "model",
    "load": "loading",
    "load_here": "loading",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
