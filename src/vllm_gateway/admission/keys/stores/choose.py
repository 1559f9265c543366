"""Which store the settings ask for. Drivers are imported for the one that is chosen only."""

from pathlib import Path

from vllm_gateway.admission.keys.store import KeyStore
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.settings.admission import Auth
from vllm_gateway.settings.model import State
from vllm_gateway.settings.state_folder import state_folder
from vllm_gateway.state.extras import need

FILE_NAME = "keys.yaml"


def open_key_store(auth: Auth, state: State) -> KeyStore:
    """Return where client keys are kept; it reaches for its place when it is first used.

    Raises:
        MissingExtra: the database's driver is not installed.
    """
    if auth.keys_file is not None:
        return FileStore(Path(auth.keys_file).expanduser())
    if state.database_url is not None:
        return _database(state.database_url.get_secret_value())
    return FileStore(state_folder() / FILE_NAME)


def _database(url: str) -> KeyStore:
    need("asyncpg", "postgres", "state.database_url")
    from vllm_gateway.admission.keys.stores.database import postgres_store  # noqa: PLC0415 - see the module

    return postgres_store(url)
