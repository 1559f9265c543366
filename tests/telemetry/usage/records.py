"""Records of requests that never were."""

from collections.abc import Iterable

from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.store import Entry

DAY_S = 86_400.0
DAY = 20_000
"""A day to count from."""


def record(**changed: object) -> UsageRecord:
    """Return the record of a request that went well at noon of `DAY`, with some of it changed."""
    ended = DAY * DAY_S + DAY_S / 2
    usual = UsageRecord(
        request_id="request-1",
        path="/v1/chat/completions",
        started=ended - 2,
        ended=ended,
        outcome="ok",
        status=200,
        caller="key-a",
        model_asked="tiny",
        model="tiny-1b",
        replica="gpu-1",
        attempts=1,
        resumed=0,
        prompt_tokens=7,
        completion_tokens=5,
        cached_tokens=3,
    )
    return usual._replace(**changed)  # type: ignore[arg-type] # any field


def entries(records: Iterable[UsageRecord], writer: str = "w") -> list[Entry]:
    """Number records."""
    return [Entry(writer, number, each) for number, each in enumerate(records)]
