"""The nouns of one request."""

import asyncio
from dataclasses import replace

import pytest

from tests.exchanges import exchange
from vllm_gateway.dialects.anthropic import Anthropic
from vllm_gateway.dialects.openai import CHUNKS, OpenAI, OpenAIResponses
from vllm_gateway.dialects.sse import PlainWatch, StreamWatch
from vllm_gateway.errors import Draining
from vllm_gateway.exchange import Dialect, Head, Usage, Watch


async def test_stopping_an_exchange_cancels_what_runs_it() -> None:
    """Whoever runs it hears of it at once, and finds out why."""
    stopped = exchange()
    why = Draining("The gateway is shutting down.")
    stopped.task = asyncio.get_running_loop().create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    stopped.stop(why)
    with pytest.raises(asyncio.CancelledError):
        await stopped.task
    assert stopped.stopped_by is why


def test_an_exchange_that_nobody_runs_can_be_stopped() -> None:
    """It is over, or has not begun; the reason is kept all the same."""
    stopped = exchange()
    why = Draining("The gateway is shutting down.")
    stopped.stop(why)
    assert stopped.stopped_by is why


@pytest.mark.parametrize("is_shared", [True, False])
def test_what_a_caller_sends_is_known_by_its_names(is_shared: bool) -> None:
    """It is the same whether the head was looked at before, for another exchange, or has no memory at all."""
    headers = [(b"idempotency-key", b"k"), (b"accept", b"*/*")]
    head = Head(headers) if is_shared else None
    for _ in range(2):
        one = replace(exchange(), headers=headers, head=head)
        assert one.sends_any({b"x-session-id", b"idempotency-key"})
        assert not one.sends_any({b"x-session-id"})
        assert not one.sends_any(frozenset())


def test_a_new_exchange_has_got_nowhere() -> None:
    """No attempt, no replica, no status, no outcome."""
    new = exchange()
    assert (new.attempts, new.replica, new.status, new.outcome, new.usage) == (0, None, 0, None, None)
    assert not new.is_event_stream


def test_tokens_are_uncached_unless_told() -> None:
    """Not every replica says what came out of its cache."""
    assert Usage(prompt_tokens=3, completion_tokens=4).cached_tokens == 0


def test_the_dialects_and_watches_keep_their_promises() -> None:
    """Each has everything that its protocol names; mypy checks the shapes of the same lines."""
    dialects: list[Dialect] = [OpenAI(), OpenAIResponses(), Anthropic()]
    watches: list[Watch] = [StreamWatch(CHUNKS), PlainWatch()]
    for protocol, things in ((Dialect, dialects), (Watch, watches)):
        promised = {name for name in vars(protocol) if not name.startswith("_")} | set(protocol.__annotations__)
        for thing in things:
            assert {name for name in promised if not hasattr(thing, name)} == set()
