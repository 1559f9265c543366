"""Places: where a value sits in the settings, and how that place is written in a file and in the environment.

`("upstreams", 0, "api_key")` is `upstreams[0].api_key` in a file and `GATEWAY_UPSTREAMS__0__API_KEY` in the
environment. What sits where is read from the model, so no second list can fall behind it.
"""

import difflib
from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.section import Section

Place: TypeAlias = tuple[str | int, ...]
Shape: TypeAlias = Any
"""The type of the value at a place, as the model annotates it; `None` where the settings have no such place."""

PREFIX = "GATEWAY_"


def written(place: Place) -> str:
    """Return the place as people read it: `upstreams[0].api_key`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place).removeprefix(".")


def variable(place: Place) -> str:
    """Return the environment variable of the place: `GATEWAY_UPSTREAMS__0__API_KEY`."""
    return PREFIX + "__".join(str(key).upper() for key in place)


def in_order(place: Place) -> list[tuple[int, int, str]]:
    """Return a key for sorting: a whole comes before its parts, and entry 2 before entry 10."""
    return [(0, key, "") if isinstance(key, int) else (1, 0, key) for key in place]


def shape_at(place: Place) -> Shape:
    """Return the type at the place."""
    shape: Shape = Settings
    for key in place:
        shape = _step(shape, key)
    return shape


def _step(shape: Shape, key: str | int) -> Shape:
    if is_section(shape):
        field = shape.model_fields.get(key)
        return None if field is None else _plain(field.annotation)
    arguments = get_args(shape)
    if is_list(shape) and isinstance(key, int):
        return _plain(arguments[0])
    if is_mapping(shape) and isinstance(key, str):
        return _plain(arguments[1])
    return None


def _plain(shape: Shape) -> Shape:
    """Return the type without its limits and without its `| None`."""
    origin = _origin(shape)
    if origin is Annotated:
        return _plain(get_args(shape)[0])
    if origin in {Union, UnionType}:
        return _plain(next(option for option in get_args(shape) if option is not NoneType))
    return shape


def _origin(shape: Shape) -> Shape:
    return get_origin(shape)


def is_section(shape: Shape) -> bool:
    """Return whether values of this type are sections: mappings whose keys the model knows."""
    return isinstance(shape, type) and issubclass(shape, Section)


def is_list(shape: Shape) -> bool:
    """Return whether values of this type are lists."""
    return _origin(shape) is tuple


def is_mapping(shape: Shape) -> bool:
    """Return whether values of this type are mappings with keys of the user's own."""
    return _origin(shape) is dict


def is_container(shape: Shape) -> bool:
    """Return whether values of this type hold other values."""
    return is_section(shape) or is_list(shape) or is_mapping(shape)


def fields(section: type[Section] = Settings, place: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    """Yield every field that holds a value, and where; fields of a listed section as of its first entry."""
    for key, field in section.model_fields.items():
        inner: Shape = _plain(field.annotation)
        listed: Shape = _plain(get_args(inner)[0]) if is_list(inner) else None
        if is_section(inner):
            yield from fields(inner, (*place, key))
            continue
        yield (*place, key), field
        if is_section(listed):
            yield from fields(listed, (*place, key, 0))


def keys_at(place: Place) -> tuple[str, ...]:
    """Return the keys that the section at the place knows."""
    shape = shape_at(place)
    return tuple(shape.model_fields) if is_section(shape) else ()


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` looks most like, if any does."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown_key(place: Place) -> str:
    """Return the sentence for a key that the settings do not know: it names the nearest one that they do."""
    key, around = str(place[-1]), place[:-1]
    if (sibling := closest(key, keys_at(around))) is not None:
        return f"is not a setting; did you mean {written((*around, sibling))}?"
    elsewhere = {str(other[-1]): other for other, _ in reversed(list(fields()))}
    if (cousin := closest(key, elsewhere)) is not None:
        return f"is not a setting; did you mean {written(elsewhere[cousin])}?"
    return f"is not a setting; known here: {', '.join(keys_at(around))}"
