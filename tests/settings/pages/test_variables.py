"""The environment file to begin with."""

from pathlib import Path

from vllm_gateway.settings import load
from vllm_gateway.settings.pages.variables import environment_file
from vllm_gateway.settings.places import fields, variable


def test_every_variable_is_there_and_explained() -> None:
    """With its default, and sorted by sections."""
    lines = environment_file().splitlines()
    for place, field in fields():
        assert any(line.startswith(f"#{variable(place)}=") for line in lines)
        assert (field.description or "").split()[0] in environment_file()
    assert "#GATEWAY_PORT=8080" in lines
    assert "# --- timeouts ---" in lines


def test_as_it_is_it_sets_nothing(tmp_path: Path) -> None:
    """Whoever copies it has the defaults."""
    (tmp_path / ".env").write_text(environment_file(), encoding="utf-8")
    loaded = load(config=None, flags=(), environment={}, directory=tmp_path)
    assert loaded.tree.values == {}


def test_with_every_value_uncommented_it_is_valid(tmp_path: Path) -> None:
    """The defaults are written as the environment reads them."""
    lines = [line.removeprefix("#") for line in environment_file().splitlines() if line.startswith("#GATEWAY_")]
    kept = [line for line in lines if not line.startswith("GATEWAY_UPSTREAMS")]
    (tmp_path / ".env").write_text("\n".join(kept), encoding="utf-8")
    load(config=None, flags=(), environment={}, directory=tmp_path)
