"""Which store the settings ask for. Drivers are imported for the one that is chosen only."""

from importlib.util import find_spec
from pathlib import Path

from vllm_gateway.settings.model import State, Usage
from vllm_gateway.settings.state_folder import state_folder
from vllm_gateway.telemetry.usage.store import UsageStore

FILE_NAME = "usage.sqlite"
WRITE_S = 5.0
"""How long the writer waits for a statement."""
READ_S = 30.0
"""How long a reader does: sums over a year take their time."""


class UsageUnavailable(Exception):
    """The settings ask for a database that cannot be had; `str()` of it is what to do."""


def open_usage_store(usage: Usage, state: State, *, limit_s: float) -> UsageStore | None:
    """Return the store that the settings ask for, if any; it reaches for its place when it is first used.

    Raises:
        UsageUnavailable: its driver is not installed, or its address is missing.
    """
    if usage.backend == "none":
        return None
    if usage.backend == "postgres" and state.database_url is None:
        raise UsageUnavailable("usage.backend: postgres needs state.database_url, which is not set.")
    if usage.backend == "postgres" and find_spec("asyncpg") is None:
        raise UsageUnavailable(
            "usage.backend: postgres needs a library that is not installed. Run: pip install 'vllm-gateway[postgres]'"
        )
    from vllm_gateway.telemetry.usage.database import postgres_store, sqlite_store  # noqa: PLC0415 - see the module

    if usage.backend == "postgres" and state.database_url is not None:
        return postgres_store(state.database_url.get_secret_value(), limit_s=limit_s)
    return sqlite_store(Path(usage.path).expanduser() if usage.path else state_folder() / FILE_NAME, limit_s=limit_s)
