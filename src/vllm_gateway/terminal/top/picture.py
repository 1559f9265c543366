"""What the admin routes say at one moment, read and put together."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Json = Mapping[str, Any]
_STRANGE = "\N{REPLACEMENT CHARACTER}"
_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Percentiles:
    """A time that many requests took."""

    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class ReplicaRow:
    """One replica. None: nobody knows."""

    name: str
    route: str
    url: str
    state: str
    """`in`, `trying`, `out`, `drained`, `asleep` or `new`."""
    cause: str | None
    """Why it is out."""
    models: tuple[str, ...]
    version: str | None
    asked: int
    """Requests that the gateway has with it."""
    running: int | None
    waiting: int | None
    kv: float | None
    """Share of the KV cache in use."""
    hits: float | None
    """Share of prompts' tokens that its prefix cache knew."""
    read_per_s: float | None
    made_per_s: float | None
    ttft: Percentiles
    itl: Percentiles
    requests: int
    """Within the window."""
    failed: int


@dataclass(frozen=True, slots=True)
class ShareRow:
    """What one model or one caller had of the last minute."""

    name: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    ttft: Percentiles
    itl: Percentiles

    @property
    def tokens(self) -> int:
        """Of prompts and answers together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request that is under way."""

    id: str
    path: str
    model: str
    replica: str
    caller: str
    seconds: float
    attempts: int
    resumed: int
    tokens: int | None
    is_stream: bool


@dataclass(frozen=True, slots=True)
class EventRow:
    """One request that is over and did not go as it should."""

    id: str
    at: float
    """Wall time of its end."""
    outcome: str
    status: int
    model: str
    replica: str
    caller: str
    seconds: float
    attempts: int
    resumed: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A fleet at one moment."""

    replicas: tuple[ReplicaRow, ...] = ()
    models: tuple[ShareRow, ...] = ()
    callers: tuple[ShareRow, ...] = ()
    requests: tuple[RequestRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    all: ShareRow = ShareRow("", 0, 0, 0, 0, Percentiles(), Percentiles())
    """All requests of the window."""
    window_s: float = 60.0
    waiting: int = 0
    """Requests that wait in the gateway."""

    @property
    def read_per_s(self) -> float:
        """Tokens of prompts that all replicas read per second."""
        return sum(row.read_per_s or 0.0 for row in self.replicas)

    @property
    def made_per_s(self) -> float:
        """Tokens of answers that all replicas make per second."""
        return sum(row.made_per_s or 0.0 for row in self.replicas)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "object": "top",
            "window_s": self.window_s,
            "waiting": self.waiting,
            "read_tokens_per_s": round(self.read_per_s, 3),
            "made_tokens_per_s": round(self.made_per_s, 3),
            "all": _without_name(asdict(self.all)),
            **{each: [asdict(row) for row in getattr(self, each)] for each in _LISTS},
        }


_LISTS = ("replicas", "models", "callers", "requests", "events")


def read_picture(
    replicas: Json, requests: Json, recent: Json, *, caller_names: Mapping[str, str] | None = None
) -> Picture:
    """Put together what `/admin/replicas`, `/admin/requests` and `/admin/recent` say.

    Raises:
        KeyError, TypeError: what answered is no gateway of this version.
    """
    names = caller_names or {}
    ended = {row["name"]: row for row in recent["replicas"]}
    return Picture(
        replicas=tuple(_replica(row, ended.get(row["name"], {})) for row in replicas["data"]),
        models=_shares(recent["models"], {}),
        callers=_shares(recent["callers"], names),
        requests=tuple(_request(row, names) for row in requests["data"]),
        events=tuple(_event(row, names) for row in recent["notable"]),
        all=_share({**recent, "name": ""}, {}),
        window_s=float(recent["window_s"]),
        waiting=int(recent["waiting"]),
    )


def clean(text: object) -> str:
    """Return text without anything that a terminal would obey: names are chosen by callers and replicas."""
    shown = str(text)[:_MOST_CHARACTERS] if text is not None else ""
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(
        _STRANGE if unicodedata.category(each)[0] == "C" or each in "\u2028\u2029" else each for each in shown
    )


def _replica(row: Json, ended: Json) -> ReplicaRow:
    return ReplicaRow(
        name=clean(row["name"]),
        route=clean(row["route"]),
        url=clean(row["url"]),
        state=_state(row),
        cause=clean(row["cause"]) if row["cause"] else None,
        models=tuple(map(clean, row["models"])),
        version=clean(row["version"]) if row["version"] else None,
        asked=int(row["outstanding"]),
        running=row.get("running"),
        waiting=row.get("waiting"),
        kv=row.get("kv_cache_usage"),
        hits=row.get("prefix_hit_rate"),
        read_per_s=row.get("read_tokens_per_s"),
        made_per_s=row.get("made_tokens_per_s"),
        ttft=_percentiles(ended.get("ttft_s")),
        itl=_percentiles(ended.get("itl_s")),
        requests=ended.get("requests", 0),
        failed=ended.get("failed", 0),
    )


def _state(row: Json) -> str:
    """Return the one word that says most; what was ordered comes before what was found out."""
    if row["draining"]:
        return "drained"
    if not row["known"]:
        return "new"
    if row["sleeping"] and row["health"] != "open":
        return "asleep"
    return {"closed": "in", "half_open": "trying"}.get(row["health"], "out")


def _shares(rows: Iterable[Json], names: Mapping[str, str]) -> tuple[ShareRow, ...]:
    return tuple(_share(row, names) for row in rows)


def _share(row: Json, names: Mapping[str, str]) -> ShareRow:
    return ShareRow(
        name=clean(names.get(row["name"], row["name"])),
        requests=int(row["requests"]),
        failed=int(row["failed"]),
        prompt_tokens=int(row["prompt_tokens"]),
        completion_tokens=int(row["completion_tokens"]),
        ttft=_percentiles(row["ttft_s"]),
        itl=_percentiles(row["itl_s"]),
    )


def _request(row: Json, names: Mapping[str, str]) -> RequestRow:
    return RequestRow(
        id=clean(row["id"]),
        path=clean(row["path"]),
        model=clean(row["model"]),
        replica=clean(row["replica"]),
        caller=clean(names.get(row["caller"], row["caller"])),
        seconds=float(row["seconds"]),
        attempts=int(row["attempts"]),
        resumed=int(row.get("resumed", 0)),
        tokens=row.get("tokens"),
        is_stream=bool(row.get("stream")),
    )


def _event(row: Json, names: Mapping[str, str]) -> EventRow:
    return EventRow(
        id=clean(row["id"]),
        at=float(row["ended"]),
        outcome=clean(row["outcome"]),
        status=int(row["status"] or 0),
        model=clean(row["model"]),
        replica=clean(row["replica"]),
        caller=clean(names.get(row["caller"], row["caller"])),
        seconds=float(row["seconds"]),
        attempts=int(row["attempts"]),
        resumed=int(row["resumed"]),
    )


def _percentiles(found: Json | None) -> Percentiles:
    return Percentiles(found["p50"], found["p95"]) if found else Percentiles()


def _without_name(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "name"}
