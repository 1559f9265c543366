"""Settings that are read again; what callers notice of it is in `tests/wire/test_reload.py`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.edge.house.replicas import serving
from tests.gateway import settings_of
from tests.scripted import scripted
from tests.waiting import until
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.serve.assembly import Parts, build
from vllm_gateway.settings import Problem, Settings, SettingsInvalid
from vllm_gateway.settings.model import Upstream


@asynccontextmanager
async def built(read: Callable[[], Settings] | None, *urls: str) -> AsyncIterator[Parts]:
    """Put a gateway together that finds its settings by `read`."""
    async with build(settings_of(*urls), read=read) as parts:
        yield parts


async def test_new_replicas_are_known_before_the_old_ones_go() -> None:
    """When all of them change at once there is no moment in which nobody serves the model."""
    async with (
        scripted(serving("m")) as one,
        scripted(serving("m")) as two,
        built(lambda: settings_of(two.url), one.url) as parts,
    ):
        pool = parts.pool
        seen = []
        pool.told.append(lambda _: seen.append([list(replica.models) for replica in pool.replicas]))
        told = await parts.reloading.reload()
        assert (told.changed, told.removed) == (["upstreams"], ["default-1"])
        assert seen == [[["m"], []], [["m"]]]


async def test_a_replica_that_is_down_does_not_keep_the_settings_from_being_taken_over() -> None:
    """It is looked at, found to be away, and joins the others all the same."""
    async with (
        scripted(serving("m")) as one,
        built(lambda: settings_of(one.url, "http://127.0.0.1:9"), one.url) as parts,
    ):
        await parts.reloading.reload()
        assert [replica.is_known for replica in parts.pool.replicas] == [True, True]


async def test_reloads_take_their_turns() -> None:
    """Two at once end in the settings that were read last."""
    async with scripted(serving("m")) as one:
        names = iter("abcdef")
        async with built(lambda: settings_of(one.url, default_model=next(names)), one.url) as parts:
            await asyncio.gather(*(parts.reloading.reload() for _ in range(3)))
            assert parts.reloading.config()["default_model"] == "c"


async def test_without_a_source_there_is_nothing_new() -> None:
    """A gateway that was given its settings by a program keeps them."""
    async with scripted(serving("m")) as one, built(None, one.url) as parts:
        told = await parts.reloading.reload()
        assert (told.changed, told.needs_restart, told.removed) == ([], [], [])


async def test_a_reload_by_signal_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whether it went well or not: nobody waits for an answer."""
    caplog.set_level(logging.INFO)
    found: list[Settings | SettingsInvalid] = []

    def read() -> Settings:
        if isinstance(found[-1], SettingsInvalid):
            raise found[-1]
        return found[-1]

    async with scripted(serving("m")) as one, built(read, one.url) as parts:
        for result, word in (
            (settings_of(one.url, default_model="m"), "default_model"),
            (SettingsInvalid([Problem("gateway.yaml:1", "must be a number", ("port",))]), "stay as they were"),
        ):
            found.append(result)
            parts.reloading.reload_soon()
            await until(lambda word=word: word in caplog.text)  # type: ignore[misc] # a lambda with a default


async def test_a_replica_takes_over_from_the_embedded_engine() -> None:
    """And the other way round: who has no replica any more is answered by the engine."""
    async with scripted(serving("m")) as one:
        found = [settings_of(one.url), settings_of()]
        async with built(lambda: found.pop(0)) as parts:
            for models in (["m"], ["sim-small", "sim-embed"]):
                assert (await parts.reloading.reload()).changed == ["upstreams"]
                (replica,) = parts.pool.replicas
                assert list(replica.models) == models


async def test_replicas_of_a_file_stay_when_the_settings_are_read_again(tmp_path: Path) -> None:
    """They follow their own source."""
    listed = tmp_path / "replicas.yaml"
    async with scripted(serving("m")) as one, scripted(serving("n")) as two:
        listed.write_text(f"- url: {two.url}\n")
        discovery = {"file": str(listed)}
        async with build(
            settings_of(one.url, discovery=discovery), read=lambda: settings_of(discovery=discovery)
        ) as parts:
            assert [replica.source for replica in parts.pool.replicas] == ["configured", "file"]
            await parts.reloading.reload()
            assert [(each.source, list(each.models)) for each in parts.pool.replicas] == [("file", ["n"])]


async def test_the_log_tells_as_much_as_is_wanted_now() -> None:
    """Somebody who looks for a fault need not stop the gateway for it."""
    before = logging.getLogger().level
    async with scripted(serving("m")) as one:
        try:
            async with built(lambda: settings_of(one.url, log_level="error"), one.url) as parts:
                await parts.reloading.reload()
                assert logging.getLogger().level == logging.ERROR
        finally:
            logging.getLogger().setLevel(before)


async def test_a_failure_in_the_middle_leaves_everything_as_it_was() -> None:
    """What cannot be made is found out before anything is swapped."""
    async with scripted(serving("m")) as one:
        wanted = settings_of(Upstream(url=one.url, tokenizer_path="/nowhere"), default_model="m")
        async with built(lambda: wanted, one.url) as parts:
            before, replicas = parts.pipeline, parts.pool.replicas
            with pytest.raises(FieldInvalid, match="stay as they were"):
                await parts.reloading.reload()
            assert (parts.pipeline, parts.pool.replicas) == (before, replicas)
            assert parts.reloading.config()["default_model"] is None


async def test_what_several_workers_could_not_count_is_refused() -> None:
    """A replica that is added by hand may have a limit of its own where one process counts alone."""
    limited = Upstream(url="http://h:1", max_concurrent=4)
    for workers in (1, 2):
        async with scripted(serving("m")) as one, build(settings_of(one.url, workers=workers)) as parts:
            parts.reloading.check_new(Upstream(url="http://h:1"))
            if workers == 1:
                parts.reloading.check_new(limited)
            else:
                with pytest.raises(FieldInvalid, match="replica_waiting"):
                    parts.reloading.check_new(limited)
