"""How workers talk to each other."""

import asyncio
import logging
from pathlib import Path

import pytest

from vllm_gateway.errors import FieldInvalid
from vllm_gateway.serve.peers import Order, Peers


async def doubled(order: Order) -> int:
    """Return twice the number that came."""
    if "number" not in order:
        raise FieldInvalid("There is no number.")
    return int(order["number"]) * 2


async def test_all_others_are_asked(tmp_path: Path) -> None:
    """Each answers once, and nobody asks itself; answers may be large."""
    workers = [Peers(tmp_path, number=number, count=3) for number in range(3)]

    async def much(order: Order) -> list[int]:
        return [await doubled(order)] * 100_000

    async with workers[0].listening(doubled), workers[1].listening(doubled), workers[2].listening(much):
        assert await workers[0].ask_all({"number": 4}) == [8, [8] * 100_000]
        assert await workers[2].ask_all({"number": 4}) == [8, 8]
        assert await workers[0].ask(1, {"number": 5}) == 10
    assert await workers[0].ask(1, {"number": 5}) is None


async def test_who_is_not_there_is_left_out(tmp_path: Path) -> None:
    """A worker that is about to start, or was killed and has left its socket behind, holds nobody up."""
    one, two = (Peers(tmp_path, number=number, count=3) for number in range(2))
    async with two.listening(doubled):
        assert await one.ask_one({"number": 1}) == 2
    assert await one.ask_one({"number": 1}) is None
    assert await one.ask_all({"number": 1}) == []
    (tmp_path / "1").touch()
    async with two.listening(doubled):
        assert await one.ask_all({"number": 1}) == [2]


async def test_a_refusal_is_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What one worker could not do is no answer, and whoever runs the gateway hears of it."""
    caplog.set_level(logging.ERROR)
    one, two = (Peers(tmp_path, number=number, count=2) for number in range(2))
    async with two.listening(doubled):
        assert await one.ask_all({}) == []
    assert "worker 1 could not do what was asked of all: There is no number." in caplog.text


async def test_who_does_not_wait_for_the_answer_disturbs_nobody(tmp_path: Path) -> None:
    """A worker that dies after it has asked is no failure of the one that answers."""
    one, two = (Peers(tmp_path, number=number, count=2) for number in range(2))
    async with two.listening(doubled):
        _, writer = await asyncio.open_unix_connection(tmp_path / "1")
        writer.transport.abort()
        assert await one.ask_all({"number": 3}) == [6]


async def test_who_takes_too_long_is_left_out_too(tmp_path: Path) -> None:
    """Those who answered in time are told by their numbers."""
    one, two, three = (Peers(tmp_path, number=number, count=3) for number in range(3))
    forever: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def never(_: Order) -> int:
        return await forever

    async with two.listening(never), three.listening(doubled):
        assert await one.ask_each({"number": 4}, within_s=3) == {2: 8}
        forever.set_result(1)
        assert await one.ask_each({"number": 4}) == {1: 1, 2: 8}
