"""`deploy/.env.example`."""

import re
from pathlib import Path

from scripts.env_example import COMPOSE, PLACE, text
from vllm_gateway.settings import load


def test_the_file_is_what_the_settings_say() -> None:
    """Run `python -m scripts.env_example` after a change of the settings."""
    assert PLACE.read_text(encoding="utf-8") == text()


def test_as_it_is_it_changes_no_setting_of_the_gateway(tmp_path: Path) -> None:
    """Variables that are Compose's own mean nothing to it."""
    (tmp_path / ".env").write_text(text(), encoding="utf-8")
    loaded = load(config=None, flags=(), environment={}, directory=tmp_path)
    assert loaded.tree.values == {}


def test_what_compose_alone_reads_can_be_set_and_the_gateway_starts(tmp_path: Path) -> None:
    """The container of the gateway is given the whole file, and takes no `GATEWAY_` name that it does not know."""
    (tmp_path / ".env").write_text(re.sub(r"^#([A-Z])", r"\1", COMPOSE, flags=re.MULTILINE), encoding="utf-8")
    loaded = load(config=None, flags=(), environment={}, directory=tmp_path)
    assert loaded.settings.host == "127.0.0.1"
