"""Names of earlier services."""

from pathlib import Path

import pytest

from tests.settings.conftest import Load, Refused
from vllm_gateway.settings import Settings
from vllm_gateway.settings.available import value_at
from vllm_gateway.settings.places import shape_at
from vllm_gateway.settings.sources.aliases import ALIASES

VALUES: dict[str, tuple[str, object]] = {
    "port": ("9000", 9000),
    "log_level": ("WARNING", "warning"),
    "default_route": ("default", "default"),
    "default_model": ("m", "m"),
    "allowed_models": ("a, b,", ("a", "b")),
    "timeouts.connect_s": ("3", 3),
    "timeouts.first_token_s": ("3", 3),
    "timeouts.total_s": ("3", 3),
}
"""For the first place of each alias a text, and the value that it means."""


@pytest.mark.parametrize("name", [name for alias in ALIASES for name in alias.names])
def test_each_name_sets_its_settings(name: str, loaded: Load, tmp_path: Path) -> None:
    """Each earlier name, and the same with `_FILE`, sets what the table says, and is named as the origin."""
    alias = next(alias for alias in ALIASES if name in alias.names)
    text, value = VALUES[".".join(str(key) for key in alias.places[0])]
    (tmp_path / "text").write_text(f"{text}\n")
    for environment in ({name: text}, {f"{name}_FILE": "text"}):
        found = loaded(environment=environment)
        for place in alias.places:
            assert value_at(found.settings, place) == value
            assert found.tree.origin(place) == f"environment {next(iter(environment))}"


def test_the_table_names_settings_only() -> None:
    """Each place of the table is one of the model, and no name is there twice."""
    names = [name for alias in ALIASES for name in alias.names]
    assert len(names) == len(set(names))
    assert all(shape_at(place) is not None for alias in ALIASES for place in alias.places)


@pytest.mark.parametrize("name", ["VLLM_URL", "VLLM_BASE_URL", "OPENAI_BASE_URL"])
def test_an_address_makes_one_upstream(name: str, loaded: Load) -> None:
    """Each of the three names gives one replica of the route `default`."""
    (upstream,) = loaded(environment={name: "http://h:8000/v1"}).settings.upstreams
    assert (upstream.root, upstream.route, upstream.api_key) == ("http://h:8000", "default", None)


def test_the_first_name_of_a_row_counts(loaded: Load) -> None:
    """Of several names for one thing the first wins, and the environment wins over `.env` before that."""
    both = {"VLLM_BASE_URL": "http://b", "OPENAI_BASE_URL": "http://c"}
    assert [one.url for one in loaded(environment=both).settings.upstreams] == ["http://b"]
    assert loaded(environment={"PORT": "2"}, dotenv="API_PORT=1").settings.port == 2


def test_routes_make_upstreams(loaded: Load) -> None:
    """`MODEL_ROUTE_<KEY>` gives a route in small letters, beside the one of the single address."""
    settings = loaded(
        environment={
            "MODEL_ROUTE_TINY": "http://h:1",
            "MODEL_ROUTE_Big-2": "http://h:2",
            "MODEL_ROUTE_": "http://h:3",
            "VLLM_URL": "http://h:4",
            "DEFAULT_MODEL_KEY": "TINY",
        },
        dotenv="MODEL_ROUTE_TINY=http://h:9",
    ).settings
    assert {one.route: one.url for one in settings.upstreams} == {
        "default": "http://h:4",
        "tiny": "http://h:1",
        "big-2": "http://h:2",
    }
    assert settings.default_route == "tiny"


@pytest.mark.parametrize(
    "canonical",
    [
        {"file": "upstreams: [{url: 'http://own'}]"},
        {"environment": {"GATEWAY_UPSTREAMS__0__URL": "http://own"}},
        {"dotenv": "GATEWAY_UPSTREAMS=[{url: 'http://own'}]"},
    ],
    ids=str,
)
def test_a_configured_upstream_wins(canonical: dict[str, object], loaded: Load) -> None:
    """An upstream from any other source leaves the earlier names unused."""
    earlier = {"OPENAI_BASE_URL": "http://earlier", "MODEL_ROUTE_X": "http://earlier"}
    given = canonical.get("environment", {})
    assert isinstance(given, dict)
    settings = loaded(**{**canonical, "environment": {**earlier, **given}}).settings
    assert [one.url for one in settings.upstreams] == ["http://own"]


def test_an_empty_list_of_upstreams_is_configured_too(loaded: Load) -> None:
    """`upstreams: []` asks for the embedded engine, whatever the environment holds."""
    assert loaded("upstreams: []", environment={"VLLM_URL": "http://h"}).settings.upstreams == ()


def test_the_key_goes_to_upstreams_without_one(loaded: Load) -> None:
    """`VLLM_API_KEY` is the key of every replica that has none of its own, wherever it was configured."""
    settings = loaded(
        "upstreams: [{url: 'http://h:1'}, {url: 'http://h:2', api_key: own}]", environment={"VLLM_API_KEY": "sesame"}
    ).settings
    assert [one.api_key and one.api_key.get_secret_value() for one in settings.upstreams] == ["sesame", "own"]
    assert loaded("upstreams: []", environment={"VLLM_API_KEY": "sesame"}).settings == Settings()


def test_wrong_values_name_the_variable(refused: Refused) -> None:
    """A text that cannot be the setting is told with the earlier name it came from."""
    lines = refused(environment={"PORT": "many", "MODEL_ROUTE_A": "h:1", "READ_TIMEOUT_SECONDS": "-1"})
    assert [line.split(" must")[0] for line in lines] == [
        "environment PORT: port",
        "environment MODEL_ROUTE_A: upstreams[0].url",
        "environment READ_TIMEOUT_SECONDS: timeouts.first_token_s",
        "environment READ_TIMEOUT_SECONDS: timeouts.idle_s",
    ]


@pytest.mark.parametrize("name", ["PORT", "VLLM_URL", "MODEL_ROUTE_X", "VLLM_API_KEY"])
def test_unreadable_files_are_told(name: str, refused: Refused) -> None:
    """A file that is not there is told with the variable that names it."""
    assert refused(environment={f"{name}_FILE": "nowhere"}) == [
        f"environment {name}_FILE: needs the file nowhere, which cannot be read: No such file or directory"
    ]
