"""Owned background tasks."""

import asyncio
import logging

import pytest

from vllm_gateway.tasks import Tasks


async def forever() -> None:
    """Never end."""
    await asyncio.Event().wait()


async def fail() -> None:
    """Fail at once."""
    raise ValueError("too hot")


async def test_a_task_is_named_after_its_owner_and_its_work() -> None:
    """Whoever lists the tasks of a process sees what each is for."""
    tasks = Tasks("prober")
    task = tasks.start(asyncio.sleep(0), name="look")
    assert task.get_name() == "prober: look"
    await task
    assert len(tasks) == 0


async def test_a_failure_is_logged_with_the_tasks_name(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody awaits a background task, so its error would be lost."""
    tasks = Tasks("prober")
    with caplog.at_level(logging.ERROR):
        task = tasks.start(fail(), name="look")
        await asyncio.wait([task])
    assert [record.getMessage() for record in caplog.records] == ["task 'prober: look' failed"]
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[0] is ValueError
    assert len(tasks) == 0


async def test_closing_ends_every_task_quietly(caplog: pytest.LogCaptureFixture) -> None:
    """After `close` nothing of the owner runs, and being ended is no failure."""
    tasks = Tasks("prober")
    running = [tasks.start(forever(), name=f"number {number}") for number in range(3)]
    assert len(tasks) == 3
    await asyncio.sleep(0)
    await tasks.close()
    assert all(task.cancelled() for task in running)
    assert len(tasks) == 0
    assert not caplog.records


async def test_closing_waits_for_the_last_words_of_a_task() -> None:
    """A task that tidies up when it is ended has done so when `close` returns."""
    tasks = Tasks("store")
    steps: list[str] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            steps.append("tidied")

    tasks.start(work(), name="write")
    await asyncio.sleep(0)
    await tasks.close()
    assert steps == ["tidied"]


async def test_closing_without_tasks_is_nothing() -> None:
    """An owner that never started anything closes as well, and may close twice."""
    tasks = Tasks("nobody")
    await tasks.close()
    await tasks.close()


async def test_what_is_started_at_the_end_comes_to_its_end_too() -> None:
    """A task that another one starts as its last act is not broken off before it has begun."""
    tasks = Tasks("owner")
    done: list[str] = []

    async def last() -> None:
        await asyncio.sleep(0)
        done.append("last")

    async def first() -> None:
        await asyncio.sleep(0)

    tasks.start(first(), name="first").add_done_callback(lambda _: tasks.start(last(), name="last"))
    await tasks.finish(within_s=5)
    assert (done, len(tasks)) == (["last"], 0)
