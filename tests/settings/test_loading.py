"""All sources together."""

import itertools
from pathlib import Path

import pytest
import yaml
from hypothesis import given as given_by
from hypothesis import strategies as st

from tests.settings.conftest import Load, Refused
from vllm_gateway.settings import Assignment, Loaded, SettingsInvalid, load, load_here
from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.places import fields, variable

SOURCES = ("alias", "file", "dotenv", "environment", "flag")
"""From the weakest to the strongest."""


@pytest.mark.parametrize(
    "given",
    [given for size in range(1, 6) for given in itertools.combinations(range(5), size)],
    ids=lambda given: "+".join(SOURCES[index] for index in given),
)
def test_the_strongest_source_wins(given: tuple[int, ...], loaded: Load) -> None:
    """Flag, environment, `.env`, file, earlier name: whichever of them give a port, the first of this order counts."""
    environment = {"PORT": "9000"} if 0 in given else {}
    if 3 in given:
        environment["GATEWAY_PORT"] = "9003"
    settings = loaded(
        file="port: 9001" if 1 in given else None,
        dotenv="GATEWAY_PORT=9002" if 2 in given else None,
        environment=environment,
        flags=[Assignment(("port",), 9004, "flag --port")] if 4 in given else [],
    ).settings
    assert settings.port == 9000 + max(given)


def test_origins_tell_the_source_of_each_value(loaded: Load) -> None:
    """Each value's origin names its file and line, its variable, its flag, or the default."""
    found = loaded(
        file="upstreams:\n  - url: http://h\nlog_level: ${LEVEL:-debug}\n",
        dotenv="GATEWAY_DRAIN_S=1",
        environment={"GATEWAY_UPSTREAMS__0__API_KEY": "k", "VLLM_MODEL_NAME": "m"},
        flags=[Assignment(("port",), 1, "flag --port")],
    )
    assert {written: found.tree.origin(place) for written, place in _PLACES.items()} == {
        "url": "gateway.yaml:2",
        "api_key": "environment GATEWAY_UPSTREAMS__0__API_KEY",
        "log_level": "gateway.yaml:3",
        "drain_s": ".env GATEWAY_DRAIN_S",
        "default_model": "environment VLLM_MODEL_NAME",
        "port": "flag --port",
        "host": "default",
    }


_PLACES: dict[str, tuple[str | int, ...]] = {
    "url": ("upstreams", 0, "url"),
    "api_key": ("upstreams", 0, "api_key"),
    **{key: (key,) for key in ("log_level", "drain_s", "default_model", "port", "host")},
}


def test_a_file_is_found_by_flag_then_variable_then_name(loaded: Load, tmp_path: Path) -> None:
    """`--config` wins over `GATEWAY_CONFIG`, which wins over `gateway.yaml`; relative paths begin in the directory."""
    (tmp_path / "one.yaml").write_text("port: 1")
    (tmp_path / "two.yaml").write_text("port: 2")
    named = {"GATEWAY_CONFIG": "two.yaml"}
    assert loaded("port: 3").settings.port == 3
    assert loaded(environment=named).settings.port == 2
    assert loaded(dotenv="GATEWAY_CONFIG=two.yaml").settings.port == 2
    assert loaded(environment=named, config=tmp_path / "one.yaml").settings.port == 1


def test_a_file_that_was_named_must_be_there(refused: Refused) -> None:
    """A missing `--config` is a mistake, a missing `gateway.yaml` is not."""
    assert refused(config=Path("none.yaml")) == ["none.yaml: cannot be read: No such file or directory"]
    assert refused(environment={"GATEWAY_CONFIG": "."}) == [".: cannot be read: Is a directory"]


def test_all_sources_are_checked_in_one_run(refused: Refused) -> None:
    """Mistakes in the file, `.env`, the environment, earlier names and flags are told together."""
    lines = refused(
        file="upstreams: [\n",
        dotenv="no form\nGATEWAY_DRAIN_S=x",
        environment={"GATEWAY_PORTT": "1", "LOG_LEVEL": "loud"},
        flags=[Assignment(("port",), 99999, "flag --port")],
    )
    starts = (".env:1: ", "gateway.yaml:2: column 1: ", "environment GATEWAY_PORTT: ", "flag --port: ")
    for start in (*starts, "environment LOG_LEVEL: ", ".env GATEWAY_DRAIN_S: "):
        assert [line for line in lines if line.startswith(start)], (start, lines)
    assert len(lines) == 6


def test_a_value_that_could_not_be_had_is_told_once(refused: Refused) -> None:
    """A required value whose variable is missing is not also called missing."""
    (line,) = refused("upstreams: [{url: '${NOWHERE}'}]")
    assert "needs the variable NOWHERE" in line


def test_a_gap_in_a_list_is_told(refused: Refused) -> None:
    """Entry 2 of upstreams cannot be set when there is no entry 0 and 1."""
    (line,) = refused(environment={"GATEWAY_UPSTREAMS__2__URL": "http://h"})
    assert line.startswith("environment GATEWAY_UPSTREAMS__2__URL: upstreams[2].url leaves a gap")


@pytest.mark.parametrize(
    "sources",
    [
        {"file": "upstreams: sesame"},
        {"file": "upstreams: [sesame]"},
        {"file": "api_key: sesame"},
        {"file": "upstreams: [{url: sesame, api_key: [sesame]}]"},
        {"file": "upstreams: [{url: 'http://me:sesame@h'}]"},
        {"file": "upstreams:\n  - api_key: *sesame"},
        {"file": "upstreams:\n  - api_key: !sesame x"},
        {"file": "upstreams:\n  - api_key: 'sesame\n"},
        {"file": "upstreams:\n  - api_key: %sesame"},
        {"file": "state: {redis_url: sesame}"},
        {"file": "state: {database_url: 'postgresql://me:sesame@h:port/name'}"},
        {"file": "auth: {admin_key: sesame, mode: sesame}"},
        {"file": "auth: {mode: keys, client_keys: sesame}"},
        {"file": "auth: {mode: keys, client_keys: [sesame]}"},
        {"file": "auth: {mode: keys, client_keys: [sesame-12345, sesame-12345]}"},
        {"environment": {"GATEWAY_AUTH__CLIENT_KEYS": "sesame"}},
        {"environment": {"GATEWAY_AUTH__CLIENT_KEYS": "[sesame-12345"}},
        {"environment": {"PROXY_API_KEY": "sesame"}},
        {"environment": {"REDIS_URL": "sesame"}},
        {"environment": {"GATEWAY_UPSTREAMS": "sesame"}},
        {"environment": {"GATEWAY_UPSTREAMS": "[{url: sesame"}},
        {"environment": {"GATEWAY_UPSTREAMS": "{url: *sesame}"}},
        {"environment": {"GATEWAY_API_KEY": "sesame"}},
        {"environment": {"VLLM_API_KEY": "sesame", "VLLM_URL": "sesame"}},
        {"environment": {"GATEWAY_PORT": "sesame"}},
        {"dotenv": "sesame sesame"},
        {"dotenv": "GATEWAY_AUTH__ADMIN_KEY=sesame"},
    ],
    ids=str,
)
def test_no_value_is_ever_told(sources: dict[str, object], refused: Refused) -> None:
    """Whatever is wrong around a secret, the problems do not hold it."""
    assert "sesame" not in "\n".join(refused(**sources))


def test_the_process_gives_its_environment_and_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load_here` reads the variables and the directory of the running process, and exports nothing from `.env`."""
    (tmp_path / ".env").write_text("GATEWAY_DRAIN_S=7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_PORT", "9999")
    settings = load_here().settings
    assert (settings.port, settings.drain_s) == (9999, 7)


_names = st.sampled_from(
    [*(variable(place) for place, _ in fields()), *(variable((key,)) for key in Settings.model_fields), "VLLM_URL"]
)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("http://h")
_keys = st.sampled_from(["url", "route", "idle_s", "mode", "x", ""])
_texts = st.text(max_size=20) | st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3)
).map(yaml.safe_dump)


@given_by(st.dictionaries(_names, _texts, max_size=6))
def test_any_environment_is_loaded_or_refused(environment: dict[str, str]) -> None:
    """Whatever variables hold, the outcome is settings or a list of problems, each a line with its origin."""
    try:
        found: Loaded | SettingsInvalid = load(
            config=None, flags=(), environment=environment, directory=Path("nowhere")
        )
    except SettingsInvalid as invalid:
        found = invalid
    if isinstance(found, SettingsInvalid):
        assert found.problems
        assert all(problem.line.startswith("environment ") and "\n" not in problem.line for problem in found.problems)
