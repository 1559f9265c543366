"""`vllm-gateway serve`."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from vllm_gateway.cli.serve import flags
from vllm_gateway.settings import Settings


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Collect the settings that the gateway is run with, instead of running it."""
    found: list[Settings] = []

    def run_instead(settings: Settings, *, read: Callable[[], Settings]) -> int:
        assert read() == settings
        found.append(settings)
        return 0

    monkeypatch.setattr("vllm_gateway.serve.run", run_instead)
    return found


def test_each_flag_sets_its_setting(run: Run, here: Path, served: list[Settings]) -> None:
    """Flags win over the file; addresses of upstreams replace the file's."""
    (here / "own.yaml").write_text("port: 1\nupstreams: [{url: 'http://h:1'}]\ndefault_model: m\n")
    text = "--config own.yaml --upstream http://h:2 --upstream http://h:3/v1 --host i --port 2 --workers 1 --drain-s 4"
    assert run("serve", *text.split(), "--log-level", "debug")[0] == 0
    (settings,) = served
    assert [one.root for one in settings.upstreams] == ["http://h:2", "http://h:3"]
    assert (settings.host, settings.port, settings.workers, settings.drain_s) == ("i", 2, 1, 4)
    assert (settings.log_level, settings.default_model) == ("debug", "m")


def test_no_flag_means_no_setting(run: Run, served: list[Settings]) -> None:
    """Without flags, file and variables the gateway runs with its defaults."""
    assert run("serve")[0] == 0
    assert served == [Settings()]


@pytest.mark.parametrize("settings", ["port: 1", "port: wrong"])
def test_garbage_is_collected_when_all_is_loaded(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    """Before the gateway runs, and when it does not come to that."""
    seen: list[bool] = []
    monkeypatch.setattr("vllm_gateway.serve.run", lambda *_, **__: seen.append(gc.isenabled()))
    (here / "own.yaml").write_text(settings)
    run("serve", "--config", "own.yaml")
    assert gc.isenabled()
    assert seen == ([True] if settings == "port: 1" else [])


def test_the_status_is_the_gateways(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the gateway returns is the status of the command."""
    monkeypatch.setattr("vllm_gateway.serve.run", lambda _, read: 3 if read() else 0)
    assert run("serve")[0] == 3


def test_wrong_settings_are_told_before_anything_starts(run: Run, served: list[Settings]) -> None:
    """Every problem is a line on stderr with its flag, the status is 1, and nothing is served."""
    code, out, err = run("serve", "--port", "65536", "--upstream", "h:8000", "--workers", "0")
    assert (code, out, served) == (1, "", [])
    assert [line.split(" must")[0].split(" is ")[0] for line in err.splitlines()] == [
        "flag --port: port",
        "flag --workers: workers",
        "flag --upstream: upstreams[0].url",
    ]


def test_flags_that_are_not_given_are_not_there() -> None:
    """Only what was given becomes a setting; 0 is given."""
    assert flags([], {"port": None, "host": None}) == []
    (port,) = flags([], {"port": 0})
    assert (port.place, port.value, port.origin) == (("port",), 0, "flag --port")


def test_the_defaults_in_the_help_are_the_models(run: Run) -> None:
    """Each default that the help names is the one of the settings, and each variable is one."""
    settings, out = Settings(), " ".join(run("serve", "--help")[1].replace("│", " ").split())
    for key in ("host", "port", "workers", "log_level", "drain_s"):
        value = getattr(settings, key)
        shown = f"{value:g}" if isinstance(value, float) else value
        assert f"[env: GATEWAY_{key.upper()}] [default: {shown}]" in out
