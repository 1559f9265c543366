"""Where the tests keep conversations, and conversations to keep."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import SecretStr

from vllm_gateway.sessions.model import Message, Session, Turn
from vllm_gateway.sessions.store import Store
from vllm_gateway.sessions.stores.choose import open_store
from vllm_gateway.sessions.stores.later import LaterStore
from vllm_gateway.settings.model import Session as SessionSettings
from vllm_gateway.settings.model import State

NOW = 1_700_000_000.123456
TTL_S = 600.0

Backend = Literal["memory", "sqlite", "postgres", "redis"]


@dataclass(slots=True)
class Place:
    """One place, on which any number of stores can be opened: so many gateways."""

    backend: Backend
    address: str = ""
    """Of the server, or the path of the file."""
    opened: list[Store] = field(default_factory=list)

    def open(self) -> Store:
        """Open a store; in memory there is one only."""
        if self.backend == "memory" and self.opened:
            return self.opened[0]
        store = opened(self.backend, self.address)
        self.opened.append(store)
        return store

    async def close(self) -> None:
        """Close all stores."""
        for store in self.opened:
            await store.close()


def opened(backend: Backend, address: str) -> Store:
    """Open the store that the settings would choose."""
    url = SecretStr(address)
    settings = SessionSettings(backend=backend, path=address if backend == "sqlite" else None)
    return open_store(settings, State(redis_url=url if backend == "redis" else None, database_url=_sql(backend, url)))


async def itself(store: Store) -> Store:
    """Return the store that does the work, made if it was not yet."""
    return await store.made() if isinstance(store, LaterStore) else store


def _sql(backend: Backend, url: SecretStr) -> SecretStr | None:
    return url if backend == "postgres" else None


def session(name: str = "s", **changed: Any) -> Session:  # noqa: ANN401 - any field of a session
    """Return a new session."""
    return replace(Session(id=name, owner="alice", created=NOW, used=NOW, ttl_s=TTL_S), **changed)


def said(*texts: str) -> tuple[Message, ...]:
    """Return messages."""
    return tuple(Message({"role": "user", "content": text}, len(text)) for text in texts)


def turn(*texts: str, at: float = NOW, first_kept: int = 0, replica: str | None = "r1") -> Turn:
    """Return a turn in which these texts were said."""
    return Turn(said(*texts), first_kept=first_kept, prompt_tokens=10, output_tokens=3, replica=replica, at=at)
