"""`vllm-gateway config`."""

from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Run
from vllm_gateway import codec
from vllm_gateway.settings.pages.reference import reference


def test_check_tells_every_mistake_and_ends_with_1(run: Run, here: Path) -> None:
    """All mistakes are lines on stderr; nothing is on stdout."""
    (here / "gateway.yaml").write_text("prot: 1\nport: x\n")
    code, out, err = run("config", "check")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "gateway.yaml:2: port must be a whole number",
        "gateway.yaml:1: prot is not a setting; did you mean port?",
    ]


def test_check_of_valid_settings_ends_with_0(run: Run) -> None:
    """Settings without any source are valid."""
    assert run("config", "check") == (0, "The settings are valid.\n", "")


@pytest.mark.parametrize("named", [["other.yaml"], ["--config", "other.yaml"]], ids=" ".join)
def test_the_file_can_be_named_in_two_ways(named: list[str], run: Run, here: Path) -> None:
    """The settings file is an argument or a flag of `check` and `show`."""
    (here / "other.yaml").write_text("port: 7\n")
    assert run("config", "check", *named)[0] == 0
    assert "port: 7  # other.yaml:1" in run("config", "show", *named)[1]


def test_show_masks_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The effective settings are YAML, with a mask for each secret."""
    monkeypatch.setenv("VLLM_URL", "http://h")
    monkeypatch.setenv("VLLM_API_KEY", "sesame")
    code, out, err = run("config", "show")
    assert (code, err) == (0, "")
    assert "sesame" not in out
    assert yaml.safe_load(out)["upstreams"][0]["api_key"] == "********"


def test_show_of_wrong_settings_ends_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to show of settings that are wrong; the mistakes are told."""
    monkeypatch.setenv("GATEWAY_PORT", "x")
    assert run("config", "show") == (1, "", "environment GATEWAY_PORT: port must be a whole number\n")


def test_schema_is_json(run: Run) -> None:
    """The schema is printed as JSON."""
    code, out, _ = run("config", "schema")
    assert code == 0
    assert "upstreams" in codec.loads(out)["properties"]


def test_init_writes_a_file_that_is_valid(run: Run, here: Path) -> None:
    """`init` writes gateway.yaml, or the file that was named, and `check` has nothing against it."""
    assert run("config", "init")[0] == 0
    assert run("config", "init", "other.yaml")[0] == 0
    assert (here / "gateway.yaml").read_text() == (here / "other.yaml").read_text()
    assert run("config", "check")[0] == 0


def test_init_never_overwrites_unasked(run: Run, here: Path) -> None:
    """A file that is there stays, unless `--force` is given."""
    (here / "gateway.yaml").write_text("port: 7\n")
    code, out, err = run("config", "init")
    assert (code, out, err) == (1, "", "gateway.yaml is already there; --force overwrites it.\n")
    assert (here / "gateway.yaml").read_text() == "port: 7\n"
    assert run("config", "init", "--force")[0] == 0
    assert "port: 7\n" not in (here / "gateway.yaml").read_text()


@pytest.mark.parametrize("arguments", [["nowhere/gateway.yaml"], [".", "--force"]], ids=" ".join)
def test_init_tells_why_it_cannot_write(arguments: list[str], run: Run) -> None:
    """A directory that is not there, or in the way, is one sentence."""
    code, out, err = run("config", "init", *arguments)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "cannot be written" in err


def test_docs_prints_the_reference(run: Run) -> None:
    """The hidden command prints the page that is in the repository."""
    assert run("config", "docs") == (0, reference(), "")
