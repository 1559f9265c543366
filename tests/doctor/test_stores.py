"""The stores that several gateways share."""

from tests.scripted import Visit, scripted
from vllm_gateway.clock import HandClock
from vllm_gateway.doctor.finding import Finding, Level
from vllm_gateway.doctor.stores import compared, look_at_stores
from vllm_gateway.settings import Settings

ANSWERS = {b"PING": b"+PONG\r\n", b"TIME": b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"}


async def looked(**state: str) -> list[Finding]:
    """Look at stores at these addresses."""
    settings = Settings.model_validate({"state": state})
    return [found async for found in look_at_stores(settings, HandClock(wall=1_700_000_000.0))]


async def test_stores_that_are_away_are_failures() -> None:
    """The cure names the setting, and no password is shown."""
    found = await looked(
        redis_url="redis://:secret-word@127.0.0.1:1/0", database_url="postgresql://u:secret-word@127.0.0.1:1/d"
    )
    assert [each.subject for each in found] == ["redis", "postgresql"]
    assert {each.level for each in found} == {Level.FAIL}
    assert "secret-word" not in str(found)


async def test_a_redis_that_answers_is_well() -> None:
    """Its own time tells how far our clock is off."""

    async def redis(visit: Visit) -> None:
        while line := await visit.reader.readuntil(b"\r\n"):
            if line.startswith(b"*"):
                words = []
                for _ in range(int(line[1:])):
                    await visit.reader.readuntil(b"\r\n")
                    words.append((await visit.reader.readuntil(b"\r\n")).strip().upper())
                await visit.say(ANSWERS.get(words[0], b"+OK\r\n"))

    async with scripted(redis) as server:
        (found,) = await looked(redis_url=f"redis://127.0.0.1:{server.port}/0")
    assert found.level is Level.OK, found


def test_clocks_that_disagree_are_a_warning() -> None:
    """Leases and the ends of sessions are times of the gateways."""
    assert compared("redis", 1000.0, 1000.5).level is Level.OK
    assert compared("redis", 1000.0, 1060.0).level is Level.WARN


async def test_no_store_no_line() -> None:
    """Only what the settings name is reached for."""
    assert await looked() == []
