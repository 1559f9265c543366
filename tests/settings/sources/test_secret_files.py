"""Files out of which secrets are read."""

from pathlib import Path

from vllm_gateway.settings import Settings
from vllm_gateway.settings.sources.secret_files import secret_files, secret_files_here


def test_files_that_are_there_are_named_once(tmp_path: Path) -> None:
    """`.env`, the settings file, those that variables name, and the keys; no others, and none that is not there."""
    for name in (".env", "gateway.yaml", "key", "keys.yaml"):
        (tmp_path / name).touch()
    environment = {
        "GATEWAY_AUTH__ADMIN_KEY_FILE": "key",
        "GATEWAY_UPSTREAMS__0__API_KEY_FILE": "key",
        "GATEWAY_STATE__REDIS_URL_FILE": "nowhere",
        "OTHER_FILE": "gateway.yaml",
    }
    settings = Settings.model_validate({"auth": {"keys_file": str(tmp_path / "keys.yaml")}})
    found = list(secret_files(settings, None, environment, tmp_path))
    assert [path.name for path in found] == [".env", "gateway.yaml", "key", "keys.yaml"]


def test_a_settings_file_that_is_named_counts(tmp_path: Path) -> None:
    """Wherever it lies."""
    named = tmp_path / "mine.yaml"
    named.touch()
    assert list(secret_files(Settings(), named, {"XDG_STATE_HOME": str(tmp_path)}, tmp_path)) == [named]
    assert named in secret_files_here(Settings(), named)
