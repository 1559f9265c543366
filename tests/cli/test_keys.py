"""`vllm-gateway keys`."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Run
from tests.waiting import PATIENCE_S
from vllm_gateway import codec
from vllm_gateway.admission.keys.secret import digest, has_right_checksum

Rows = list[dict[str, object]]


@pytest.fixture
def keys_file(here: Path) -> Path:
    """Have the settings ask for keys, and name the file that they are kept in."""
    (here / "gateway.yaml").write_text("auth: {mode: keys, keys_file: keys.yaml}\n")
    return here / "keys.yaml"


def _create(run: Run, *arguments: str) -> str:
    code, out, _ = run("keys", "create", *arguments)
    assert code == 0
    return out.strip()


def _listed(run: Run) -> Rows:
    code, out, _ = run("keys", "list", "--json")
    assert code == 0
    listed: Rows = codec.loads(out)
    return listed


def test_create_prints_the_key_alone_and_keeps_its_digest(run: Run, keys_file: Path) -> None:
    """What stands on stdout is the key and nothing else; the file does not hold it."""
    code, out, err = run("keys", "create", "--name", "ann")
    assert code == 0
    assert out.endswith("\n")
    secret = out.strip()
    assert has_right_checksum(secret.encode())
    assert re.fullmatch(r"Made key_[0-9a-f]{12} \(ann\)\. Keep the key now: it cannot be shown again\.\n", err)
    text = keys_file.read_text()
    assert secret not in text
    assert digest(secret.encode()).hex() in text


def test_create_writes_down_all_that_was_said(run: Run, keys_file: Path) -> None:
    """Models, limits, class and expiry are the key's."""
    limits = ("--rpm", "60", "--tpm", "1000", "--concurrent", "4", "--budget-tokens", "5000000")
    _create(run, "--name", "ann", "--models", "a, b/c,", *limits, "--class", "batch", "--expires", "2096-01-31")
    row = yaml.safe_load(keys_file.read_text())["keys"][0]
    assert row["models"] == ["a", "b/c"]
    assert row["priority"] == "batch"
    assert row["expires"].isoformat() == "2096-01-31T00:00:00+00:00"
    listed = _listed(run)[0]
    found = [listed[name] for name in ("requests_per_minute", "tokens_per_minute", "tokens_per_day", "concurrent")]
    assert found == [60, 1000, 5_000_000, 4]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--name", ""], "The new key (''): name: "),
        (["--name", "x" * 65], "The new key "),
        (["--name", "ann", "--expires", "soon"], "'soon' is no expiry; write a span like 12h"),
        (["--name", "ann", "--expires", "2020-01-01"], "2020-01-01 is over"),
        (["--name", "ann", "--models", "m" * 300], "The new key ('ann'): models.0: "),
    ],
    ids=str,
)
@pytest.mark.usefixtures("keys_file")
def test_create_tells_a_mistake_in_one_sentence(run: Run, here: Path, arguments: list[str], sentence: str) -> None:
    """Nothing is made, and nothing is on stdout."""
    code, out, err = run("keys", "create", *arguments)
    assert (code, out) == (1, "")
    assert err.startswith(sentence)
    assert err.count("\n") == 1
    assert not (here / "keys.yaml").exists()


@pytest.mark.parametrize(
    "arguments", [["--name", "ann", "--rpm", "-1"], ["--name", "ann", "--class", "first"], []], ids=str
)
@pytest.mark.usefixtures("keys_file")
def test_wrong_usage_ends_with_2(run: Run, arguments: list[str]) -> None:
    """A flag that is missing or takes no such value is a mistake in use."""
    assert run("keys", "create", *arguments)[0] == 2


def test_who_makes_a_key_that_nobody_asks_for_is_told(run: Run, here: Path) -> None:
    """With the mode `none` everybody comes in without one."""
    (here / "gateway.yaml").write_text("auth: {keys_file: keys.yaml}\n")
    assert run("keys", "create", "--name", "ann")[2].splitlines()[1:] == [
        "No key is asked for yet: auth.mode is none; set it to keys."
    ]


@pytest.mark.usefixtures("keys_file")
def test_list_shows_every_key_and_no_secret(run: Run) -> None:
    """Valid, and revoked; as a table, and as JSON without digests."""
    secret = _create(run, "--name", "ann")
    _create(run, "--name", "bob")
    assert run("keys", "revoke", "bob")[0] == 0
    code, out, err = run("keys", "list")
    assert (code, err) == (0, "")
    assert [line.split()[-1] for line in out.splitlines()] == ["STATE", "valid", "revoked"]
    assert secret not in out
    rows = _listed(run)
    assert [(row["name"], row["state"]) for row in rows] == [("ann", "valid"), ("bob", "revoked")]
    assert not any("digest" in row for row in rows)


def test_list_without_keys_shows_the_heads(run: Run, keys_file: Path) -> None:
    """Nothing is made by looking."""
    assert run("keys", "list")[:2] == (0, "ID  NAME  KEY  MODELS  LIMITS  CLASS  CREATED  EXPIRES  STATE\n")
    assert run("keys", "list", "--json")[1] == "[]\n"
    assert not keys_file.exists()


@pytest.mark.usefixtures("keys_file")
def test_revoke_takes_an_id_or_a_name_of_its_own(run: Run) -> None:
    """An unknown one and an ambiguous one are told; both keys of that name go on."""
    for _ in range(2):
        _create(run, "--name", "ann")
    first = str(_listed(run)[0]["id"])
    code, _, err = run("keys", "revoke", "ann")
    assert (code, err.count("\n")) == (1, 1)
    assert "2 keys have the name 'ann'" in err
    assert run("keys", "revoke", first) == (0, "", f"Revoked {first} (ann).\n")
    assert run("keys", "revoke", "ann")[0] == 0
    assert [row["state"] for row in _listed(run)] == ["revoked", "revoked"]
    assert run("keys", "revoke", "carl") == (
        1,
        "",
        "No key has the id or the name 'carl'; see: vllm-gateway keys list\n",
    )


@pytest.mark.parametrize("command", [["list"], ["create", "--name", "ann"], ["revoke", "ann"]], ids=" ".join)
def test_a_file_that_cannot_be_understood_is_told_and_kept(run: Run, keys_file: Path, command: list[str]) -> None:
    """One sentence names the file and the entry."""
    keys_file.write_text("keys: [{name: ann}]\n")
    code, out, err = run("keys", *command)
    assert (code, out) == (1, "")
    assert err == f"{keys_file}: entry 1 ('ann'): id: Field required.\n"
    assert keys_file.read_text() == "keys: [{name: ann}]\n"


def test_wrong_settings_are_told(run: Run, here: Path) -> None:
    """As every command tells them."""
    (here / "other.yaml").write_text("prot: 1\n")
    code, out, err = run("keys", "list", "--config", "other.yaml")
    assert (code, out) == (1, "")
    assert err.startswith("other.yaml:1: prot is not a setting")


def test_a_missing_driver_is_told(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact command that installs it."""
    (here / "gateway.yaml").write_text("state: {database_url: 'postgresql://h/d'}\n")
    monkeypatch.setattr("vllm_gateway.state.extras.find_spec", lambda _: None)
    code, _, err = run("keys", "list")
    assert (code, err.count("pip install 'vllm-gateway[postgres]'")) == (1, 1)


@pytest.mark.parametrize("command", ["create", "list", "revoke"])
def test_help_has_an_example(run: Run, command: str) -> None:
    """Each command shows one line that works."""
    code, out, _ = run("keys", command, "--help")
    assert code == 0
    assert f"For example: vllm-gateway keys {command}" in out


@pytest.mark.usefixtures("keys_file")
def test_the_key_can_be_caught_in_a_shell(start: Callable[..., subprocess.Popen[str]]) -> None:
    """What a program of its own writes on stdout is the key, so that `KEY=$(...)` holds it."""
    with start("keys", "create", "--name", "ann") as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert re.fullmatch(r"vgw_[0-9A-Za-z]{38}\n", out)
    assert out.strip() not in err
