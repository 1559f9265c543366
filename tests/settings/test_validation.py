"""Wrong values and their sentences."""

import pytest

from tests.settings.conftest import Refused


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("port: many", "gateway.yaml:1: port must be a whole number"),
        ("port: 1.5", "gateway.yaml:1: port must be a whole number"),
        ("port: 65536", "gateway.yaml:1: port must be at most 65535"),
        ("port: -1", "gateway.yaml:1: port must be at least 0"),
        ("port: []", "gateway.yaml:1: port must be a whole number"),
        ("port: true", "gateway.yaml:1: port must be a number, not true or false"),
        ("drain_s: .inf", "gateway.yaml:1: drain_s must be at most 3600"),
        ("drain_s: soon", "gateway.yaml:1: drain_s must be a number"),
        ("probe:\n  every_s: 0", "gateway.yaml:2: probe.every_s must be more than 0"),
        ("metrics: {public: maybe}", "gateway.yaml:1: metrics.public must be true or false"),
        ("default_model: 7", "gateway.yaml:1: default_model must be text; put it in quotes"),
        ("default_model: ''", "gateway.yaml:1: default_model must not be empty"),
        ("log_level: loud", "gateway.yaml:1: log_level must be one of: 'debug', 'info', 'warning', 'error'"),
        ("allowed_models: a", "gateway.yaml:1: allowed_models must be a list"),
        ("aliases: [a]", "gateway.yaml:1: aliases must be a mapping of names"),
        ("retry: 3", "gateway.yaml:1: retry must be a mapping with: attempts, budget_percent"),
        ("upstreams:\n  - route: a", "gateway.yaml:2: upstreams[0].url is required"),
        ("upstreams: [http://h]", "gateway.yaml:1: upstreams[0] must be a mapping with: url, route, api_key, weight"),
        ("default_route: a b", "gateway.yaml:1: default_route must be 1 to 64 letters, digits"),
        ("host: " + "h" * 300, "gateway.yaml:1: host must have at most 253 characters"),
        ("aliases: {'': b}", "gateway.yaml:1: aliases. must not be empty"),
        ("prot: 1", "gateway.yaml:1: prot is not a setting; did you mean port?"),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(file: str, line: str, refused: Refused) -> None:
    """The line tells where the value is, which setting it is, and what was expected; never the value."""
    (found,) = refused(file)
    assert found.startswith(line)
    assert not found.endswith(".0")


def test_every_kind_of_mistake_is_told_in_one_run(refused: Refused) -> None:
    """Unknown keys and wrong values are all told, although the first already refuses."""
    lines = refused("prot: 1\ndrain_s: x\nupstreams: [{route: a}, {url: 'http://h', weight: 0}]\n")
    assert [line.split()[1] for line in lines] == [
        "upstreams[0].url",
        "upstreams[1].weight",
        "drain_s",
        "prot",
    ]


def test_contradictions_are_not_guessed_from_half_settings(refused: Refused) -> None:
    """While an upstream is wrong, nothing is said about the routes that it may have."""
    assert len(refused("upstreams: [{route: tiny}]\ndefault_route: tiny\n")) == 1


def test_contradictions_are_told_when_values_are_right(refused: Refused) -> None:
    """Valid values that make no sense together are refused with their line."""
    (line,) = refused("upstreams: [{url: 'http://h'}]\ndefault_route: big\n")
    assert line == "gateway.yaml:2: default_route must be the route of an upstream, one of: default"
