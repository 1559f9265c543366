"""Texts inside of texts."""

import shlex
import tomllib

import yaml

from vllm_gateway.connect.snippet import as_yaml, quoted, shell

AWKWARD = 'it\'s "a" \\ model: #1'


def test_whatever_a_model_is_called_it_is_read_back() -> None:
    """By a shell, by TOML and by YAML."""
    assert shlex.split(shell(AWKWARD)) == [AWKWARD]
    assert tomllib.loads(f"model = {quoted(AWKWARD)}") == {"model": AWKWARD}
    assert yaml.safe_load(as_yaml({"model": AWKWARD})) == {"model": AWKWARD}
