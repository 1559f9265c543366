"""What a reload changes: which settings differ, which of them wait for a restart, and what counts meanwhile."""

from collections.abc import Iterator

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.places import Place
from vllm_gateway.settings.section import Section

AT_START: tuple[Place, ...] = (
    ("host",),
    ("port",),
    ("workers",),
    ("admin",),
    ("auth", "mode"),
    ("auth", "keys_file"),
    ("auth", "admin_key"),
    ("cache",),
    ("discovery",),
    ("edge",),
    ("log",),
    ("state",),
    ("tracing",),
    ("usage",),
    ("session", "backend"),
    ("session", "path"),
    ("session", "ttl_s"),
    ("session", "response_ttl_s"),
    ("session", "turn_wait_s"),
    ("limits", "backend"),
    ("limits", "max_header_bytes"),
    ("timeouts", "request_head_s"),
    ("timeouts", "request_body_s"),
    ("isolate_prefix_cache",),
    ("tenant_secret",),
)
"""Settings that are read when the gateway starts, with all that is below them: of sockets, of stores, of secrets that
hold for what is kept elsewhere."""


def differing(old: Section, new: Section, place: Place = ()) -> Iterator[Place]:
    """Yield every setting whose value is not the same in both; a list or a mapping counts as one."""
    for key in type(old).model_fields:
        before, after, inner = getattr(old, key), getattr(new, key), (*place, key)
        if isinstance(before, Section) and isinstance(after, Section):
            yield from differing(before, after, inner)
        elif before != after:
            yield inner


def waits_for_restart(place: Place) -> bool:
    """Say whether a setting is read at the start only."""
    return any(place[: len(each)] == each for each in AT_START)


def effective(old: Settings, new: Settings) -> Settings:
    """Return `new`, but for what is read at the start only: that stays as it was."""
    settings = new
    for place in differing(old, new):
        if waits_for_restart(place):
            settings = _with(settings, place, old)
    return settings


def _with(section: Settings, place: Place, other: Settings) -> Settings:
    """Return the settings with the value that `other` has at `place`."""
    key, *rest = (str(each) for each in place)
    if not rest:
        return section.model_copy(update={key: getattr(other, key)})
    (below,) = rest
    inner: Section = getattr(section, key)
    kept = getattr(getattr(other, key), below)
    return section.model_copy(update={key: inner.model_copy(update={below: kept})})
