"""The gateway's own variables."""

from pathlib import Path

import pytest

from tests.settings.conftest import Load, Refused
from vllm_gateway.settings.places import Place, fields, variable
from vllm_gateway.settings.sources.environment import read_environment, spread, typed
from vllm_gateway.settings.sources.variables import Variables


@pytest.mark.parametrize("place", [place for place, _ in fields()], ids=variable)
def test_every_field_has_its_variable(place: Place, tmp_path: Path) -> None:
    """The variable of a field, and the one with `_FILE`, each set that field."""
    (tmp_path / "text").write_text("7")
    for name, text in ((variable(place), "7"), (f"{variable(place)}_FILE", "text")):
        reading = read_environment(Variables("environment", {name: text}, tmp_path))
        assert reading.problems == []
        (found,) = reading.assignments
        assert (found.place, str(found.value), found.origin) == (place, "7", f"environment {name}")


def test_lists_and_mappings_are_yaml_or_json(loaded: Load) -> None:
    """A whole list or mapping is written in one variable."""
    settings = loaded(
        environment={
            "GATEWAY_ALLOWED_MODELS": "[a, 'b']",
            "GATEWAY_ALIASES": '{"gpt": "Qwen/Q"}',
            "GATEWAY_UPSTREAMS": "[{url: 'http://h:1'}, {url: 'http://h:2', weight: 2}]",
        }
    ).settings
    assert settings.allowed_models == ("a", "b")
    assert settings.aliases == {"gpt": "Qwen/Q"}
    assert [upstream.weight for upstream in settings.upstreams] == [1, 2]


def test_texts_stay_texts(loaded: Load) -> None:
    """A model called `123` or `null`, or a key that looks like YAML, is read as it stands."""
    settings = loaded(
        environment={"GATEWAY_DEFAULT_MODEL": "123", "VLLM_URL": "http://h", "GATEWAY_HOST": "null"}
    ).settings
    assert (settings.default_model, settings.host) == ("123", "null")
    assert typed(("upstreams", 0, "api_key"), "{a: [") == "{a: ["


def test_one_entry_of_a_list_is_reached_by_number(loaded: Load) -> None:
    """A secret can be added to a replica of the file, and a replica behind the last."""
    settings = loaded(
        "upstreams: [{url: 'http://h:1', route: a}]",
        environment={
            "GATEWAY_UPSTREAMS__0__API_KEY": "sesame",
            "GATEWAY_UPSTREAMS__1__URL": "http://h:2",
        },
    ).settings
    first, second = settings.upstreams
    assert first.api_key is not None
    assert (first.route, first.api_key.get_secret_value()) == ("a", "sesame")
    assert second.url == "http://h:2"


def test_entries_fill_the_whole_list_of_the_same_source(loaded: Load) -> None:
    """The list comes first, then its entries, whatever their order in the environment."""
    settings = loaded(
        environment={
            "GATEWAY_UPSTREAMS__0__WEIGHT": "3",
            "GATEWAY_UPSTREAMS": "[{url: 'http://h:1'}]",
        }
    ).settings
    assert [upstream.weight for upstream in settings.upstreams] == [3]


def test_a_list_replaces_and_a_section_adds(loaded: Load) -> None:
    """A list of the environment replaces that of the file; a section changes only the keys that it names."""
    settings = loaded(
        "upstreams: [{url: 'http://h:1'}, {url: 'http://h:2'}]\ntimeouts: {connect_s: 1, idle_s: 1}\n",
        environment={"GATEWAY_UPSTREAMS": "[{url: 'http://h:3'}]", "GATEWAY_TIMEOUTS": "{idle_s: 9}"},
    ).settings
    assert [upstream.url for upstream in settings.upstreams] == ["http://h:3"]
    assert (settings.timeouts.connect_s, settings.timeouts.idle_s) == (1, 9)


def test_spreading_keeps_what_is_no_section_whole() -> None:
    """Values of sections are spread; lists, entries and scalars are one value each."""
    assert [one.place for one in spread(("timeouts",), {"idle_s": 1, "total_s": 2}, "o")] == [
        ("timeouts", "idle_s"),
        ("timeouts", "total_s"),
    ]
    assert len(spread(("upstreams",), [{"url": "u"}], "o")) == 1
    assert len(spread(("upstreams", 0), {"url": "u", "weight": 1}, "o")) == 1
    assert len(spread(("timeouts",), 5, "o")) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("GATEWAY_PROT", "is not a setting; did you mean GATEWAY_PORT?"),
        ("GATEWAY_port", "is not a setting; did you mean GATEWAY_PORT?"),
        ("GATEWAY_PROT_FILE", "is not a setting; did you mean"),
        ("GATEWAY_TIMEOUT__IDLE_S", "did you mean GATEWAY_TIMEOUTS__IDLE_S?"),
        ("GATEWAY_TIMEOUTS_IDLE_S", "did you mean GATEWAY_TIMEOUTS__IDLE_S?"),
        ("GATEWAY_UPSTREAMS__00__URL", "did you mean GATEWAY_UPSTREAMS__0__URL?"),
        ("GATEWAY_UPSTREAMS__FIRST__URL", "did you mean GATEWAY_UPSTREAMS__0__URL?"),
        ("GATEWAY_CONFIG_FILE", "did you mean GATEWAY_CONFIG?"),
        (f"GATEWAY_UPSTREAMS__{'9' * 5000}__URL", "is not a setting"),
        ("GATEWAY_CONFG", "did you mean GATEWAY_CONFIG?"),
        ("GATEWAY_ALIASES__GPT", "cannot name one entry; give all of aliases as YAML in GATEWAY_ALIASES"),
        ("GATEWAY_", "is not a setting"),
        ("GATEWAY_ZZZZZZ", "see vllm-gateway config schema"),
    ],
)
def test_unknown_variables_are_told(name: str, said: str, refused: Refused) -> None:
    """A variable with the prefix that means nothing is a mistake which names the nearest one."""
    (line,) = refused(environment={name: "1"})
    assert line.startswith(f"environment {name}: ")
    assert said in line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GATEWAY_PORT", "tcp://10.0.0.7:80"),
        ("GATEWAY_SERVICE_HOST", "10.0.0.7"),
        ("GATEWAY_SERVICE_PORT", "80"),
        ("GATEWAY_SERVICE_PORT_HTTP", "80"),
        ("GATEWAY_PORT_80_TCP", "tcp://10.0.0.7:80"),
        ("GATEWAY_PORT_80_TCP_ADDR", "10.0.0.7"),
        ("GATEWAY_API_SERVICE_HOST", "10.0.0.7"),
        ("GATEWAY_API_PORT", "tcp://10.0.0.7:80"),
    ],
)
def test_service_links_are_left_alone(name: str, text: str, loaded: Load) -> None:
    """Variables that Kubernetes makes for a service called `gateway` are neither settings nor mistakes."""
    assert loaded(environment={name: text}).settings.port == 8080


def test_faults_name_the_variable_and_the_setting(refused: Refused) -> None:
    """Text that is no YAML, and a file that is not there, are told with the variable that holds them."""
    lines = refused(
        environment={"GATEWAY_ALIASES": "{a: ", "GATEWAY_PORT_FILE": "nowhere", "GATEWAY_HOST": "h", "OTHER": "{"}
    )
    aliases, port = lines
    assert aliases.startswith("environment GATEWAY_ALIASES: aliases must be YAML or JSON: column 5: is not YAML: ")
    assert port == (
        "environment GATEWAY_PORT_FILE: port needs the file nowhere, which cannot be read: No such file or directory"
    )
