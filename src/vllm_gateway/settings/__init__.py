"""Settings: what can be set (`model`), where values come from (`sources`), and what is wrong with them (`problems`).

`load` gathers every source into one tree, later sources over earlier ones, and validates it once. Nothing else reads
the environment. Whoever needs a setting is handed `Settings`.
"""

from vllm_gateway.settings.loading import Loaded, load, load_here
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.settings.problems import Problem, SettingsInvalid
from vllm_gateway.settings.sources.reading import Assignment

__all__ = ["Assignment", "Loaded", "Problem", "Settings", "SettingsInvalid", "Upstream", "load", "load_here"]
