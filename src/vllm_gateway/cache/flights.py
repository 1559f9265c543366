"""The answers that are under way in one process: who asks first has it asked for, who asks later joins."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vllm_gateway.cache.flight import Flight
from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.room import Room
from vllm_gateway.errors import Draining
from vllm_gateway.tasks import Tasks

_STOPPED = "The gateway shut down before the answer was complete."


@dataclass(frozen=True, slots=True)
class Course:
    """What is done for a flight."""

    ask: Callable[[Flight], Awaitable[None]]
    """Writes the answer into it."""
    judge: Callable[[Flight], Kept | None]
    """Says of a whole answer whether, and as what, it may be given again."""
    keep: Callable[[Kept], Awaitable[None]]
    """Keeps what was judged so; nobody waits for that."""
    over: Callable[[], None] | None = None
    """Is called when all that is done, however it ended."""


class Flights:
    """The flights of one process, by what they answer."""

    def __init__(self, *, max_bytes: int) -> None:
        self.room = Room(max_bytes)
        """For all of them together."""
        self._flying: dict[bytes, Flight] = {}
        self._tasks = Tasks("shared answers")

    def __len__(self) -> int:
        return len(self._flying)

    def find(self, key: bytes) -> Flight | None:
        """Return the flight that a caller who comes now can join."""
        flight = self._flying.get(key)
        return flight if flight is not None and flight.can_be_joined else None

    def launch(self, key: bytes | None, flight: Flight, course: Course) -> None:
        """Begin a flight; without a key nobody else joins it. The caller who asks first has boarded it."""
        if key is not None:
            self._flying[key] = flight
        task = self._tasks.start(self._fly(key, flight, course), name="answer")
        flight.begin(task)
        task.add_done_callback(lambda _: self._landed(key, flight, course))

    async def close(self) -> None:
        """End them all."""
        await self._tasks.close()

    async def _fly(self, key: bytes | None, flight: Flight, course: Course) -> None:
        try:
            await course.ask(flight)
            kept = course.judge(flight) if flight.is_joinable and flight.is_answer else None
        except asyncio.CancelledError:
            if flight.exchange.stopped_by is None:
                raise
            flight.land(flight.exchange.stopped_by)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again to those who wait for the answer
            flight.land(error)
        else:
            flight.land(None, kept)
            if kept is not None:
                await course.keep(kept)
            self._forget(key, flight)

    def _landed(self, key: bytes | None, flight: Flight, course: Course) -> None:
        if course.over is not None:
            course.over()
        self._forget(key, flight)
        flight.land(Draining(_STOPPED))  # unless it has come to another end

    def _forget(self, key: bytes | None, flight: Flight) -> None:
        if key is not None and self._flying.get(key) is flight:
            del self._flying[key]
