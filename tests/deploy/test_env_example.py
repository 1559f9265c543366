"""`deploy/.env.example`."""

from pathlib import Path

from scripts.env_example import PLACE, text
from vllm_gateway.settings import load


def test_the_file_is_what_the_settings_say() -> None:
    """Run `python -m scripts.env_example` after a change of the settings."""
    assert PLACE.read_text(encoding="utf-8") == text()


def test_as_it_is_it_changes_no_setting_of_the_gateway(tmp_path: Path) -> None:
    """Variables that are Compose's own mean nothing to it."""
    (tmp_path / ".env").write_text(text(), encoding="utf-8")
    loaded = load(config=None, flags=(), environment={}, directory=tmp_path)
    assert loaded.tree.values == {}
