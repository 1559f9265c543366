"""The gateway's own environment variables: `GATEWAY_<SECTION>__<FIELD>`, and the same name with `_FILE`."""

import re

from vllm_gateway.settings.places import (
    PREFIX,
    Place,
    closest,
    fields,
    in_order,
    is_container,
    is_list,
    is_mapping,
    is_section,
    shape_at,
    variable,
    written,
)
from vllm_gateway.settings.problems import Problem
from vllm_gateway.settings.sources.aliases import NAMES
from vllm_gateway.settings.sources.reading import Assignment, Reading
from vllm_gateway.settings.sources.variables import Unreadable, Variables
from vllm_gateway.settings.sources.yaml_text import YamlFault, read_value

CONFIG = f"{PREFIX}CONFIG"
"""Names the settings file. Apart from it, only some names of earlier services have the prefix and are no setting."""

_SERVICE_LINK = re.compile(rf"{PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
_LINK_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def read_environment(variables: Variables) -> Reading:
    """Return the settings that the variables of one source hold, whole lists before their entries."""
    reading = Reading()
    places: set[Place] = set()
    for name in variables.names():
        if not name.startswith(PREFIX) or _is_other(name, variables):
            continue
        found = _place_of(name)
        if isinstance(found, Problem):
            reading.problems.append(Problem(f"{variables.label} {name}", found.sentence))
        else:
            places.add(found)
    for place in sorted(places, key=in_order):
        reading.add(*_assigned(variables, place))
    return reading


def typed(place: Place, text: str) -> object:
    """Return the value that a text stands for: YAML where the settings hold a list or a mapping, else the text."""
    return read_value(text) if is_container(shape_at(place)) else text


def spread(place: Place, value: object, origin: str) -> list[Assignment]:
    """Return one assignment per value of a section, so that keys which it does not name stay; others are whole."""
    if not is_section(shape_at(place)) or not isinstance(value, dict) or isinstance(place[-1], int):
        return [Assignment(place, value, origin)]
    return [one for key, inner in value.items() for one in spread((*place, str(key)), inner, origin)]


def _is_other(name: str, variables: Variables) -> bool:
    """Return whether the variable is known and no setting of this form."""
    return name == CONFIG or name.removesuffix("_FILE") in NAMES or _is_service_link(name, variables)


def _is_service_link(name: str, variables: Variables) -> bool:
    """Return whether Kubernetes or Docker made the variable, for a service that is called `gateway...`."""
    is_link_port = name.endswith("_PORT") and _LINK_ADDRESS.match(variables.texts[name]) is not None
    return is_link_port or _SERVICE_LINK.fullmatch(name) is not None


def _place_of(name: str) -> Place | Problem:
    """Return the place that a variable means, or why it means none."""
    place = _spelled(name)
    if shape_at(place) is None and name.endswith("_FILE"):
        place = _spelled(name.removesuffix("_FILE"))
    if shape_at(place) is not None and variable(place) in {name, name.removesuffix("_FILE")}:
        return place
    for length in range(1, len(place)):
        if is_mapping(shape_at(place[:length])):
            whole = place[:length]
            return Problem(name, f"cannot name one entry; give all of {written(whole)} as YAML in {variable(whole)}")
    known = [name.removeprefix(PREFIX) for name in (CONFIG, *(variable(other) for other, _ in fields()))]
    nearest = closest(name.removeprefix(PREFIX).removesuffix("_FILE").upper(), known)
    hint = "see vllm-gateway config schema" if nearest is None else f"did you mean {PREFIX}{nearest}?"
    return Problem(name, f"is not a setting; {hint}")


def _spelled(name: str) -> Place:
    """Return the place as the name spells it, whether or not there is such a place."""
    place: Place = ()
    for word in name.removeprefix(PREFIX).split("__"):
        is_index = is_list(shape_at(place)) and re.fullmatch(r"[0-9]{1,6}", word) is not None
        key = int(word) if is_index else word.lower()
        if is_mapping(shape_at(place)):
            return (*place, key, "")  # no such place: names of variables cannot spell the user's own keys
        place = (*place, key)
    return place


def _assigned(variables: Variables, place: Place) -> tuple[list[Assignment], list[Problem]]:
    name = variable(place)
    try:
        text = variables.text(name)
        value = None if text is None else typed(place, text)
    except Unreadable as fault:
        return [], [Problem(variables.origin(name), str(fault), place)]
    except YamlFault as fault:
        return [], [Problem(variables.origin(name), f"must be YAML or JSON: {fault.sentence}", place)]
    return ([] if value is None else spread(place, value, variables.origin(name))), []
