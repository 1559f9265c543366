"""One list of models out of those of all replicas, in the shapes that different clients read.

Who reads what: OpenAI's libraries `data[].id`; Continue `data[0].max_model_len`; `vllm bench serve` `data[0].root`;
Anthropic's library and Claude Code `data[].{type, display_name, created_at}` with `has_more`, `first_id` and `last_id`;
Codex `models[]`, which it asks for by naming its `client_version`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from vllm_gateway.routing.table import Table

_CODEX_INSTRUCTIONS = "You are a coding agent that works in the user's terminal. Be precise, safe and helpful."
_CODEX_TRUNCATION_BYTES = 10_000
"""How much of one tool's output Codex keeps; its own default for models that it does not know."""

_YEAR_10000 = 253_402_300_800
"""Seconds since the epoch from which no date can be written; those who count milliseconds get there."""


class Busy(Protocol):
    """How busy a replica is, by its own count."""

    @property
    def running(self) -> int | None:
        """Requests that it is answering; None where it does not tell."""
        ...

    @property
    def waiting(self) -> int | None:
        """Requests that wait inside it."""
        ...


class Source(Protocol):
    """What the catalog knows of a replica."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def route(self) -> str:
        """Name of its route."""
        ...

    @property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """The rows of its own list by id."""
        ...

    @property
    def latency_s(self) -> float | None:
        """How long it took to tell them."""
        ...

    @property
    def is_usable(self) -> bool:
        """It may be asked now."""
        ...

    @property
    def pace(self) -> Busy:
        """How busy it is."""
        ...


def catalog(sources: Sequence[Source], table: Table) -> list[dict[str, Any]]:
    """Return a row for each model and alias that may be asked for, each id once."""
    return [_row(name, sources, table) for name in table.names(sources)]


def listing(rows: list[dict[str, Any]], *, for_codex: bool) -> dict[str, Any]:
    """Return the body of `GET /v1/models`."""
    body: dict[str, Any] = {
        "object": "list",
        "data": rows,
        "has_more": False,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
    }
    if for_codex:
        body["models"] = [_codex_row(row, place) for place, row in enumerate(rows)]
    return body


def _row(name: str, sources: Sequence[Source], table: Table) -> dict[str, Any]:
    """Merge the rows of one model: the first replica's fields, the shortest context, and who serves it."""
    model = table.aliases.get(name, name)
    serving = [source for source in sources if model in source.models]
    usable = [source for source in serving if source.is_usable]
    row = dict(serving[0].models[model])
    lengths = [source.models[model].get("max_model_len") for source in serving]
    known_lengths = [length for length in lengths if isinstance(length, int)]
    if known_lengths:
        row["max_model_len"] = min(known_lengths)
    row |= {
        "id": name,
        "object": "model",
        "type": "model",
        "display_name": name,
        "created_at": _date(row.get("created")),
        "sources": [
            {"source": source.name, "latency_ms": round((source.latency_s or 0.0) * 1000, 2)} for source in usable
        ],
        "load": _load(usable),
    }
    if name != model:
        row["alias_of"] = model
    return row


def _load(sources: Sequence[Source]) -> dict[str, int] | None:
    """Return how many requests are inside those that tell; None when none does."""
    told = [source.pace for source in sources if source.pace.running is not None]
    if not told:
        return None
    return {"running": sum(pace.running or 0 for pace in told), "waiting": sum(pace.waiting or 0 for pace in told)}


def _date(created: object) -> str:
    """Write seconds since the epoch as a date; the epoch itself when they are none that a date can show."""
    seconds = created if isinstance(created, int) and 0 <= created < _YEAR_10000 else 0
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _codex_row(row: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return a row of Codex's own list (`ModelInfo` in its `openai_models.rs`): text in, a shell to work with."""
    return {
        "slug": row["id"],
        "display_name": row["display_name"],
        "description": f"Served by vLLM as {row.get('root') or row['id']}.",
        "default_reasoning_level": None,
        "supported_reasoning_levels": [],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": place + 1,
        "upgrade": None,
        "base_instructions": _CODEX_INSTRUCTIONS,
        "supports_reasoning_summaries": False,
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "bytes", "limit": _CODEX_TRUNCATION_BYTES},
        "supports_parallel_tool_calls": False,
        "context_window": row.get("max_model_len"),
        "experimental_supported_tools": [],
        "input_modalities": ["text"],
    }
