"""Terminals that are behind. What becomes of a whole chat before one is tested in `chat/test_running.py`."""

import os
from typing import Any

from textual.app import App
from textual.drivers._writer_thread import WriterThread

from tests.waiting import until
from vllm_gateway.terminal.slow_terminal import Patience


async def test_nothing_is_drawn_while_much_waits_to_be_shown() -> None:
    """Little may wait; drawing goes on when all of it is shown."""
    app: App[Any] = App()
    patience = Patience(app)
    reading, writing = os.pipe()
    async with app.run_test() as pilot:
        patience.look()
        assert not patience.is_waiting
        with os.fdopen(writing, "w") as terminal:
            writer = WriterThread(terminal)
            setattr(app._driver, "_writer_thread", writer)  # noqa: B010 - the driver of tests knows of none
            writer.start()
            try:
                for _ in range(20):
                    writer.write("x" * 60_000)
                patience.look()
                patience.look()
                assert patience.is_waiting
                assert app._batch_count == 1

                def is_shown() -> bool:
                    os.read(reading, 65_536)
                    patience.look()
                    return not patience.is_waiting

                await until(is_shown)
                assert app._batch_count == 0
            finally:
                setattr(app._driver, "_writer_thread", None)  # noqa: B010 - as above
                os.set_blocking(reading, False)
                _drain(reading)
                writer.stop()
        await pilot.pause()
    os.close(reading)


def _drain(reading: int) -> None:
    try:
        while os.read(reading, 65_536):
            pass
    except BlockingIOError:
        return
