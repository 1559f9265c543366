"""The models that a gateway has, as one chooses among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.chat.screens.choosing import Choice


@dataclass(frozen=True, slots=True)
class Model:
    """A model, and who serves it."""

    id: str
    context_tokens: int | None
    replicas: tuple[str, ...]
    """Those that can be used now."""
    running: int | None = None
    """Requests that they are answering, whoever sent them; None where the gateway does not know."""
    waiting: int | None = None
    alias_of: str | None = None


async def models(client: Client) -> list[Model]:
    """Return the models of a gateway; raise a `Fault` when it does not tell."""
    return [_model(row) for row in (await client.get("/v1/models"))["data"]]


def choices(found: Sequence[Model], now: str | None) -> list[Choice]:
    """Return them as rows: what they can hold, how many serve them, and how they are."""
    return [Choice(model.id, f"{'*' if model.id == now else ' '} {model.id}", _detail(model)) for model in found]


def _model(row: dict[str, Any]) -> Model:
    sources = [source for source in row.get("sources") or () if isinstance(source, dict)]
    load = row.get("load")
    load = load if isinstance(load, dict) else {}
    context = row.get("max_model_len")
    return Model(
        str(row.get("id")),
        context if isinstance(context, int) else None,
        tuple(str(source.get("source")) for source in sources),
        _count(load.get("running")),
        _count(load.get("waiting")),
        row.get("alias_of"),
    )


def _count(told: object) -> int | None:
    return told if isinstance(told, int) else None


def _detail(model: Model) -> str:
    parts = [f"is {model.alias_of}"] if model.alias_of else []
    if model.context_tokens:
        parts.append(short(model.context_tokens))
    parts.append(f"{len(model.replicas)} up" if model.replicas else "down")
    if model.replicas and model.running is not None:
        parts.append(_load(model.running, model.waiting or 0))
    return " · ".join(parts)


def _load(running: int, waiting: int) -> str:
    if not running and not waiting:
        return "idle"
    return f"{running} running, {waiting} waiting" if waiting else f"{running} running"


def short(tokens: int) -> str:
    """Return a number of tokens in few characters."""
    return f"{tokens}" if tokens < 1000 else f"{tokens / 1000:.3g}k"  # noqa: PLR2004 - where k begins
