"""What the settings already name and this version cannot do yet.

A value that would be ignored is refused instead. Whoever builds the feature deletes its line here.
"""

from collections.abc import Iterator

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.places import Place

NOT_YET: tuple[Place, ...] = (
    ("workers",),
    ("auth", "keys_file"),
    ("auth", "admin_key"),
    ("limits", "requests_per_minute"),
    ("limits", "requests_per_second"),
    ("limits", "tokens_per_minute"),
    ("limits", "concurrent"),
    ("limits", "per"),
    ("limits", "max_tokens_cap"),
    ("cache", "backend"),
    ("cache", "any_temperature"),
    ("metrics", "public"),
    ("metrics", "include_replicas"),
    ("fallbacks",),
)
"""Settings that can be at their default only."""

VALUES_NOT_YET: tuple[tuple[Place, str], ...] = ((("auth", "mode"), "upstream"),)
"""Single values of settings whose others are there."""

REFUSED = "is not available in this version"
SENTENCE = f"{REFUSED}; leave it at its default"


def not_available(settings: Settings) -> Iterator[tuple[Place, str]]:
    """Yield the settings that ask for something which this version does not do, and the sentence that says so."""
    default = Settings()
    for place in NOT_YET:
        if value_at(settings, place) != value_at(default, place):
            yield place, SENTENCE
    for place, value in VALUES_NOT_YET:
        if value_at(settings, place) == value:
            yield place, f"`{value}` {REFUSED}; choose another value"


def value_at(settings: Settings, place: Place) -> object:
    """Return the value of a field of the settings or of one of its sections."""
    value: object = settings
    for key in place:
        value = getattr(value, str(key))
    return value
