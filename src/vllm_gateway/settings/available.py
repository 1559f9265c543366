"""What the settings already name and this version cannot do yet.

A value that would be ignored is refused instead. Whoever builds the feature deletes its line here.
"""

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.places import Place

NOT_YET: tuple[Place, ...] = (
    ("workers",),
    ("ambiguous_model",),
    ("auth", "mode"),
    ("auth", "keys_file"),
    ("auth", "admin_key"),
    ("limits", "requests_per_minute"),
    ("limits", "tokens_per_minute"),
    ("limits", "concurrent"),
    ("limits", "per"),
    ("limits", "max_tokens_cap"),
    ("cache", "backend"),
    ("cache", "ttl_s"),
    ("cache", "any_temperature"),
    ("session", "backend"),
    ("session", "ttl_s"),
    ("session", "max_context_tokens"),
    ("state", "redis_url"),
    ("state", "database_url"),
    ("metrics", "public"),
    ("metrics", "include_replicas"),
    ("fallbacks",),
    ("sse_heartbeat_s",),
)

SENTENCE = "is not available in this version; leave it at its default"


def not_available(settings: Settings) -> list[Place]:
    """Return the settings that ask for something which this version does not do."""
    default = Settings()
    return [place for place in NOT_YET if value_at(settings, place) != value_at(default, place)]


def value_at(settings: Settings, place: Place) -> object:
    """Return the value of a field of the settings or of one of its sections."""
    value: object = settings
    for key in place:
        value = getattr(value, str(key))
    return value
