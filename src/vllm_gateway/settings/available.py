"""What the settings already name and this version cannot do yet.

A value that would be ignored is refused instead. Whoever builds the feature deletes its line here.
"""

from collections.abc import Iterator

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.places import Place

NOT_YET: tuple[Place, ...] = (
    ("cache", "backend"),
    ("cache", "any_temperature"),
    ("cache", "max_bytes"),
    ("cache", "max_answer_bytes"),
    ("cache", "bill_hits"),
    ("usage", "backend"),
    ("usage", "path"),
    ("usage", "keep_days"),
)
"""Settings that can be at their default only."""

SENTENCE = "is not available in this version; leave it at its default"


def not_available(settings: Settings) -> Iterator[tuple[Place, str]]:
    """Yield the settings that ask for something which this version does not do, and the sentence that says so."""
    default = Settings()
    for place in NOT_YET:
        if value_at(settings, place) != value_at(default, place):
            yield place, SENTENCE


def value_at(settings: Settings, place: Place) -> object:
    """Return the value of a field of the settings or of one of its sections."""
    value: object = settings
    for key in place:
        value = getattr(value, str(key))
    return value
