"""What every place that keeps usage promises."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from vllm_gateway.telemetry.usage.question import Question, Total
from vllm_gateway.telemetry.usage.record import UsageRecord

MORE_S = 5.0
"""How much longer than its statements an operation of a database may take."""


class StoreUnusable(Exception):
    """The place cannot be read or written; `str()` of it is one sentence that says why."""


class Entry(NamedTuple):
    """A record under the number that makes it the only one, however often it is written."""

    writer: str
    """Names one process, and no other before or after it."""
    sequence: int
    record: UsageRecord


class UsageStore(Protocol):
    """Keeps records; several processes may use one place at the same time."""

    async def write(self, entries: Sequence[Entry]) -> None:
        """Keep all of these or none; those that are kept already stay as they are.

        Raises:
            StoreUnusable: it is not known whether they are kept.
        """
        ...

    async def totals(self, question: Question) -> list[Total]:
        """Return the sums that are asked for, in the order of what they are grouped by.

        Raises:
            StoreUnusable: it cannot be read.
        """
        ...

    async def delete_before(self, day: int, *, limit: int) -> int:
        """Delete up to `limit` of the records that ended before a day; return how many those were.

        Raises:
            StoreUnusable: it cannot be written.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...


def unusable(fault: BaseException) -> StoreUnusable:
    """Return what is told of a driver's fault: one line, without addresses' passwords or what was being kept."""
    lines = str(fault).splitlines()
    reason = f"{type(fault).__name__}: {lines[0].rstrip('.')}" if lines else type(fault).__name__
    return StoreUnusable(f"The usage ledger's database cannot be used: {reason}.")
