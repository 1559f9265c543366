"""The effective settings as YAML, with the origin of each value behind it."""

from collections.abc import Iterator

from vllm_gateway.settings.loading import Loaded
from vllm_gateway.settings.pages.values import one_line
from vllm_gateway.settings.places import Place
from vllm_gateway.settings.section import Section


def shown(loaded: Loaded) -> str:
    """Return every setting, one a line; the text is a valid settings file but for its masked secrets."""
    return "".join(f"{line}\n" for line in _section(loaded, loaded.settings, ()))


def _section(loaded: Loaded, section: Section, place: Place) -> Iterator[str]:
    for key in type(section).model_fields:
        value, inner = getattr(section, key), (*place, key)
        if isinstance(value, Section):
            yield f"{key}:"
            yield from (f"  {line}" for line in _section(loaded, value, inner))
        elif isinstance(value, tuple) and value and isinstance(value[0], Section):
            yield f"{key}:"
            for index, entry in enumerate(value):
                lines = list(_section(loaded, entry, (*inner, index)))
                yield from (f"  {'-' if first == 0 else ' '} {line}" for first, line in enumerate(lines))
        else:
            yield f"{key}: {one_line(value)}  # {_origin(loaded, inner)}"


def _origin(loaded: Loaded, place: Place) -> str:
    return loaded.tree.origin(place) if loaded.tree.has(place) else "default"
