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
    latency_ms: float | None
    """How quickly the quickest of them answered when it was looked at last."""
    alias_of: str | None = None


async def models(client: Client) -> list[Model]:
    """Return the models of a gateway; raise a `Fault` when it does not tell."""
    return [_model(row) for row in (await client.get("/v1/models"))["data"]]


def choices(found: Sequence[Model], now: str | None) -> list[Choice]:
    """Return them as rows: what they can hold, how many serve them, and how they are."""
    return [Choice(model.id, f"{'*' if model.id == now else ' '} {model.id}", _detail(model)) for model in found]


def _model(row: dict[str, Any]) -> Model:
    sources = [source for source in row.get("sources") or () if isinstance(source, dict)]
    latencies = [source["latency_ms"] for source in sources if isinstance(source.get("latency_ms"), int | float)]
    context = row.get("max_model_len")
    return Model(
        str(row.get("id")),
        context if isinstance(context, int) else None,
        tuple(str(source.get("source")) for source in sources),
        min(latencies, default=None),
        row.get("alias_of"),
    )


def _detail(model: Model) -> str:
    parts = [f"is {model.alias_of}"] if model.alias_of else []
    if model.context_tokens:
        parts.append(f"{short(model.context_tokens)} context")
    if not model.replicas:
        return " · ".join([*parts, "down"])
    parts.append("1 replica" if len(model.replicas) == 1 else f"{len(model.replicas)} replicas")
    if model.latency_ms is not None:
        parts.append(f"{model.latency_ms:.0f} ms")
    return " · ".join([*parts, "up"])


def short(tokens: int) -> str:
    """Return a number of tokens in few characters."""
    return f"{tokens}" if tokens < 1000 else f"{tokens / 1000:.3g}k"  # noqa: PLR2004 - where k begins
