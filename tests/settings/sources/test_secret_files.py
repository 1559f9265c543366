"""Files that hold secrets."""

from pathlib import Path

from vllm_gateway.settings import Settings
from vllm_gateway.settings.sources.secret_files import secret_files, secret_files_here


def test_files_that_are_there_are_named_once(tmp_path: Path) -> None:
    """`.env`, those that variables name, and the keys; no others, and none that is not there."""
    for name in ("gateway.yaml", "key", "keys.yaml"):
        (tmp_path / name).touch()
    (tmp_path / ".env").write_text("GATEWAY_AUTH__ADMIN_KEY=sesame\n")
    environment = {
        "GATEWAY_AUTH__ADMIN_KEY_FILE": "key",
        "GATEWAY_UPSTREAMS__0__API_KEY_FILE": "key",
        "GATEWAY_STATE__REDIS_URL_FILE": "nowhere",
        "OTHER_FILE": "gateway.yaml",
    }
    settings = Settings.model_validate({"auth": {"keys_file": str(tmp_path / "keys.yaml")}})
    found = list(secret_files(settings, environment, tmp_path))
    assert [path.name for path in found] == [".env", "key", "keys.yaml"]


def test_an_env_file_without_secrets_may_be_read_by_all(tmp_path: Path) -> None:
    """A port is no secret, nor is a key that is commented out or empty."""
    (tmp_path / ".env").write_text("GATEWAY_PORT=1\n#HF_TOKEN=x\nVLLM_API_KEY=\n")
    assert list(secret_files(Settings(), {"XDG_STATE_HOME": str(tmp_path)}, tmp_path)) == []


def test_this_process_is_asked(tmp_path: Path) -> None:
    """Its environment and its directory."""
    keys = tmp_path / "keys.yaml"
    keys.touch()
    assert keys in secret_files_here(Settings.model_validate({"auth": {"keys_file": str(keys)}}))


def test_one_that_is_out_of_reach_may_be_there(tmp_path: Path) -> None:
    """Whoever looks at it says why it cannot be; a name that is too long is out of reach even for root."""
    keys = tmp_path / ("x" * 300)
    settings = Settings.model_validate({"auth": {"keys_file": str(keys)}})
    assert list(secret_files(settings, {}, tmp_path)) == [keys]
