"""Which store the settings ask for. Drivers are imported for the one that is chosen only."""

from pathlib import Path

from vllm_gateway.settings.model import State, Usage
from vllm_gateway.settings.state_folder import state_folder
from vllm_gateway.state.extras import need
from vllm_gateway.telemetry.usage.store import UsageStore

FILE_NAME = "usage.sqlite"
WRITE_S = 5.0
"""How long the writer waits for a statement."""
READ_S = 30.0
"""How long a reader does: sums over a year take their time."""


def open_usage_store(usage: Usage, state: State, *, limit_s: float) -> UsageStore | None:
    """Return the store that the settings ask for, if any; it reaches for its place when it is first used.

    Raises:
        MissingExtra: its driver is not installed.
    """
    if usage.backend == "none":
        return None
    if usage.backend == "postgres":
        if state.database_url is None:
            raise ValueError("state.database_url is not set, and usage.backend needs it")
        need("asyncpg", "postgres", "usage.backend: postgres")
        from vllm_gateway.telemetry.usage.database import postgres_store  # noqa: PLC0415 - see the module

        return postgres_store(state.database_url.get_secret_value(), limit_s=limit_s)
    from vllm_gateway.telemetry.usage.sqlite import SqliteStore  # noqa: PLC0415 - see the module

    return SqliteStore(Path(usage.path).expanduser() if usage.path else state_folder() / FILE_NAME, limit_s=limit_s)
