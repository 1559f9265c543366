"""From gathered values to settings, or to sentences about every value that cannot be one."""

from collections.abc import Callable, Iterator, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vllm_gateway.settings.consistent import contradictions
from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.places import Place, in_order, keys_at, unknown_key
from vllm_gateway.settings.problems import Problem
from vllm_gateway.settings.tree import Tree

_DROPS = 3
"""A value that is dropped may leave its section without a required one; then the section goes, and that is enough."""


def validate(tree: Tree) -> tuple[Settings, list[Problem]]:
    """Return the settings that the tree holds, and all that is wrong with it; with a problem they are only a part."""
    wrong = list(_wrong_values(tree))
    settings = _sound_part(tree, wrong)
    found = [] if wrong else contradictions(settings)
    return settings, wrong + [Problem(tree.origin(place), sentence, place) for place, sentence in found]


def _wrong_values(tree: Tree) -> Iterator[Problem]:
    try:
        Settings.model_validate(tree.values)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_input=False):
            place = _place(error)
            yield Problem(tree.origin(place), _sentence(error, place), place)


def _sound_part(tree: Tree, wrong: list[Problem]) -> Settings:
    """Return the settings without their wrong values, so that what else is amiss can be told in the same run."""
    for _ in range(_DROPS):
        for problem in sorted(wrong, key=lambda one: in_order(one.place), reverse=True):
            tree.drop(problem.place)
        wrong = list(_wrong_values(tree)) if wrong else wrong
    return Settings() if wrong else Settings.model_validate(tree.values)


def _place(error: ErrorDetails) -> Place:
    """Return the place of an error; pydantic marks a fault in a mapping's key with `[key]`."""
    return tuple(key for key in error["loc"] if key != "[key]")


def _sentence(error: ErrorDetails, place: Place) -> str:
    """Return the sentence for people; it never holds the value."""
    kind, details = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(place)
    if kind == "value_error":
        return str(details["error"])
    if kind in {"model_type", "model_attributes_type"}:
        return f"must be a mapping with: {', '.join(keys_at(place))}"
    sentence = _SENTENCES.get(kind)
    return error["msg"] if sentence is None else sentence(details)


def _number(limit: object) -> object:
    """Return a limit as people write it: 3600, not 3600.0."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


_Details = Mapping[str, object]
_SENTENCES: dict[str, Callable[[_Details], str]] = {
    "missing": lambda _: "is required",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_parsing_size": lambda _: "must be a smaller number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "string_type": lambda _: "must be text; put it in quotes",
    "tuple_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be a mapping of names",
    "literal_error": lambda details: f"must be one of: {str(details['expected']).replace(' or ', ', ')}",
    "greater_than": lambda details: f"must be more than {_number(details['gt'])}",
    "greater_than_equal": lambda details: f"must be at least {_number(details['ge'])}",
    "less_than_equal": lambda details: f"must be at most {_number(details['le'])}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda details: f"must have at most {details['max_length']} characters",
    "string_pattern_mismatch": lambda _: "must be 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first",
}
"""Sentences by pydantic's kind of error; a kind that is not here keeps pydantic's own words."""
