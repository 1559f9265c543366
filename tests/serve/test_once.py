"""One place of several workers; over real processes it is seen in `tests/wire/test_workers.py`."""

from contextlib import AsyncExitStack
from pathlib import Path

from tests.gateway import settings_of
from vllm_gateway.serve.once import open_once
from vllm_gateway.settings.model import Cache

KEYS = [bytes([number]) * 32 for number in range(6)]
BODY = bytes(range(256))


async def test_whichever_worker_is_asked_knows_the_same(tmp_path: Path) -> None:
    """Each key has a worker of its own, which is no difference to anybody."""
    async with AsyncExitStack() as stack:
        one, two, three = [
            await stack.enter_async_context(open_once(settings_of(), tmp_path / "once", number=number, count=3))
            for number in range(3)
        ]
        assert one is not None
        assert two is not None
        assert three is not None
        await one.keep([(key, BODY + key) for key in KEYS], 60)
        for each in (one, two, three):
            assert await each.find(KEYS) == [BODY + key for key in KEYS]
        for key in KEYS:
            assert await one.claim(key, b"of one", 60) == b"of one"
            assert [await each.claim(key, b"of two", 60) for each in (two, three)] == [b"of one"] * 2
            await three.release(key, b"of one")
            assert await two.claim(key, b"of two", 60) == b"of two"
        await two.close()
        assert [text is None for text in await three.find(KEYS)] == [False, True, False, False, True, False]


async def test_the_keys_of_a_worker_that_is_not_there_are_free(tmp_path: Path) -> None:
    """Nothing is known of them, and whoever claims one has it."""
    async with open_once(settings_of(), tmp_path / "once", number=0, count=2) as one:
        assert one is not None
        await one.keep([(KEYS[1], BODY)], 60)
        assert await one.find([KEYS[1]]) == [None]
        assert await one.claim(KEYS[1], b"a", 60) == b"a"
        assert await one.claim(KEYS[1], b"b", 60) == b"b"
        await one.release(KEYS[1], b"b")


async def test_where_redis_is_it_is_the_place(tmp_path: Path) -> None:
    """It is opened elsewhere."""
    settings = settings_of().model_copy(update={"cache": Cache(backend="redis")})
    async with open_once(settings, tmp_path / "once", number=0, count=2) as once:
        assert once is None
