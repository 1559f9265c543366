"""Places in the settings and their names."""

import pytest
from pydantic import SecretStr

from vllm_gateway.settings.places import (
    Place,
    closest,
    fields,
    in_order,
    is_container,
    is_list,
    is_mapping,
    is_section,
    keys_at,
    shape_at,
    unknown_key,
    variable,
    written,
)


def test_a_place_has_a_name_in_files_and_one_in_the_environment() -> None:
    """A key of a list's entry is written with its number in both."""
    place = ("upstreams", 0, "api_key")
    assert written(place) == "upstreams[0].api_key"
    assert variable(place) == "GATEWAY_UPSTREAMS__0__API_KEY"
    assert variable(("port",)) == "GATEWAY_PORT"


@pytest.mark.parametrize(
    ("place", "shape"),
    [
        (("port",), int),
        (("timeouts", "idle_s"), float),
        (("upstreams", 7, "api_key"), SecretStr),
        (("default_model",), str),
        (("aliases", "any name"), str),
        (("fallbacks", "a", 0), str),
        (("prot",), None),
        (("port", "deeper"), None),
        (("upstreams", "route"), None),
        (("timeouts", 0), None),
    ],
)
def test_the_model_says_what_sits_where(place: Place, shape: object) -> None:
    """The type at a place is the model's, without limits; a place that there is not has none."""
    assert shape_at(place) is shape


def test_containers_are_told_apart() -> None:
    """Sections, lists and mappings of the user's own keys are three kinds, and all hold values."""
    assert is_section(shape_at(("timeouts",)))
    assert is_list(shape_at(("upstreams",)))
    assert is_mapping(shape_at(("aliases",)))
    assert all(is_container(shape_at((key,))) for key in ("timeouts", "upstreams", "aliases"))
    assert not is_container(shape_at(("port",)))
    assert keys_at(("metrics",)) == ("public", "include_replicas")
    assert keys_at(("port",)) == ()


def test_secrets_are_known_by_their_place() -> None:
    """Keys and addresses that may hold passwords are secrets; a port is not."""
    secrets = {written(place) for place, _ in fields() if shape_at(place) is SecretStr}
    assert secrets == {
        "upstreams[0].api_key",
        "auth.admin_key",
        "state.redis_url",
        "state.database_url",
        "tenant_secret",
    }


def test_fields_lists_every_value_once() -> None:
    """Each place that holds a value is listed, with entries of lists under number 0."""
    places = [place for place, _ in fields()]
    assert len(places) == len(set(places))
    assert {("port",), ("upstreams",), ("upstreams", 0, "url"), ("limits", "max_body_bytes")} <= set(places)
    assert ("limits",) not in places


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("prot",), "did you mean port?"),
        (("timeouts", "idle"), "did you mean timeouts.idle_s?"),
        (("idle_s",), "did you mean timeouts.idle_s?"),
        (("upstreams", 3, "api_kye"), "did you mean upstreams[3].api_key?"),
        (("retry", "zzz"), "known here: attempts, budget_percent"),
    ],
)
def test_an_unknown_key_names_the_nearest(place: Place, said: str) -> None:
    """The nearest key beside it is named first, then one elsewhere, else all that are known there."""
    assert said in unknown_key(place)


def test_closest_gives_nothing_for_a_stranger() -> None:
    """A word that looks like no known one has no closest."""
    assert closest("zzz", ["port"]) is None


def test_order_puts_wholes_first_and_counts() -> None:
    """A list comes before its entries, and entry 2 before entry 10."""
    places: list[Place] = [("a", 10), ("a", 2, "x"), ("a",), ("a", 2)]
    assert sorted(places, key=in_order) == [("a",), ("a", 2), ("a", 2, "x"), ("a", 10)]
