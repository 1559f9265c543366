"""Secrets in a settings file that everybody may read."""

from pathlib import Path

import pytest

from vllm_gateway.settings import SettingsInvalid, load

REFUSED = [
    "auth:\n  admin_key: 0123456789abcdef",
    "auth: {mode: keys, client_keys: [sk-0123456789]}",
    "upstreams: [{url: 'http://h', api_key: sesame}]",
    "upstreams: [{url: 'http://h', api_key: '${NAME:-sesame}'}]",
    "tenant_secret: sesame",
    "state: {redis_url: 'redis://:sesame@h'}",
    "state: {redis_url: 'redis://h?password=sesame'}",
    "state: {database_url: 'postgresql://me:sesame@h/name'}",
]
FINE = [
    "port: 9000",
    "auth: {admin_key: '${NAME}'}",
    "auth: {admin_key: '${NAME:-}'}",
    "upstreams: [{url: 'http://h', api_key: }]",
    "state: {redis_url: 'redis://h'}",
    "state: {redis_url: 'redis://:${NAME}@h'}",
    "state: {database_url: 'postgresql://me@h/name'}",
]


def _load(folder: Path, text: str, mode: int) -> None:
    path = folder / "gateway.yaml"
    path.write_text(text)
    path.chmod(mode)
    load(config=None, flags=(), environment={"NAME": "sesame-sesame-sesame"}, directory=folder)


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o777])
def test_a_secret_that_everybody_may_read_is_refused(text: str, mode: int, tmp_path: Path) -> None:
    """S-15: one sentence names the line and what to run, and does not repeat the secret."""
    with pytest.raises(SettingsInvalid) as caught:
        _load(tmp_path, text, mode)
    assert len(caught.value.problems) == 1
    line = caught.value.problems[0].line
    assert line.startswith("gateway.yaml:")
    assert "chmod 600 gateway.yaml" in line
    assert "sesame" not in line
    assert "0123456789" not in line


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
def test_a_file_of_ones_own_may_hold_secrets(text: str, mode: int, tmp_path: Path) -> None:
    """Its owner and group are trusted."""
    _load(tmp_path, text, mode)


@pytest.mark.parametrize("text", FINE)
def test_a_file_without_secrets_may_be_read_by_all(text: str, tmp_path: Path) -> None:
    """References and addresses without a password give nothing away."""
    _load(tmp_path, text, 0o644)


def test_the_first_secret_is_enough(tmp_path: Path) -> None:
    """A file with several secrets is told once: the cure is the same for all."""
    with pytest.raises(SettingsInvalid) as caught:
        _load(tmp_path, "tenant_secret: sesame\nupstreams: [{url: 'http://h', api_key: sesame}]", 0o644)
    assert [problem.origin for problem in caught.value.problems] == ["gateway.yaml:1"]
