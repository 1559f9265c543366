"""The settings while they are gathered: nested values, and the origin of each."""

import copy
import itertools

from vllm_gateway.settings.places import Place


class Tree:
    """Values by place; a later value for a place replaces what is there and below it."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self._origins: dict[Place, str] = {}

    def put(self, place: Place, value: object, origin: str) -> bool:
        """Set the value at a place; return false when it would leave a gap in a list."""
        inner: object = self.values
        for key, next_key in itertools.pairwise(place):
            inner = _child(inner, key, list if isinstance(next_key, int) else dict)
        is_new = not _has(inner, place[-1])
        if not _set(inner, place[-1], copy.deepcopy(value)):
            return False
        if not is_new:
            self._origins = {at: told for at, told in self._origins.items() if at[: len(place)] != place}
        self._origins[place] = origin
        return True

    def has(self, place: Place) -> bool:
        """Return whether a source gave this place a value."""
        inner: object = self.values
        for key in place:
            if not _has(inner, key):
                return False
            inner = inner[key]  # type: ignore[index] # `_has` found the key in it
        return True

    def drop(self, place: Place) -> None:
        """Forget the place, or the innermost one around it that there is."""
        while place and not self.has(place):
            place = place[:-1]
        inner: object = self.values
        for key in place[:-1]:
            inner = inner[key]  # type: ignore[index] # `has` found the key in it
        if place:
            del inner[place[-1]]  # type: ignore[attr-defined] # as above

    def origin(self, place: Place) -> str:
        """Return where the value came from; for a place without one, where the nearest value beside it came from."""
        for length in range(len(place), 0, -1):
            around = place[:length]
            if around in self._origins:
                return self._origins[around]
            for at, told in self._origins.items():
                if at[:length] == around:
                    return told
        return "default"


def _has(inner: object, key: str | int) -> bool:
    if isinstance(inner, list):
        return isinstance(key, int) and key < len(inner)
    return isinstance(inner, dict) and key in inner


def _child(inner: object, key: str | int, kind: type[list[object]] | type[dict[str, object]]) -> object:
    """Return the container of the given kind at a key, made new when there is another value or none."""
    found = inner[key] if _has(inner, key) else None  # type: ignore[index] # `_has` found the key in it
    if isinstance(found, kind):
        return found
    made = kind()
    return made if _set(inner, key, made) else None


def _set(inner: object, key: str | int, value: object) -> bool:
    if isinstance(inner, list) and isinstance(key, int) and key <= len(inner):
        inner[key : key + 1] = [value]
        return True
    if isinstance(inner, dict):
        inner[key] = value
        return True
    return False
