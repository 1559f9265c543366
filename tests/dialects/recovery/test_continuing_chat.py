"""Going on inside a model's reasoning."""

from typing import Any

from typing_extensions import override

from tests.dialects.recovery.legs import CHAT, Client, client, heard, recovery_of, sent
from tests.dialects.recovery.test_every_cut import BY_IDS
from vllm_gateway import codec
from vllm_gateway.dialects.sse import split_events

FIELDS: dict[str, Any] = {
    "model": "sim-small",
    "stream": True,
    "max_tokens": 12,
    "min_tokens": 4,
    "temperature": 0.7,
    "messages": [{"role": "user", "content": "Think 日本"}],
    "stream_options": {"include_usage": True, "continuous_usage_stats": True},
}


def thought(event: bytes) -> bytes:
    """Return an event of a stream as a replica would tell it that takes its text for reasoning."""
    return event if b'"role"' in event else event.replace(b'"content":', b'"reasoning":')


async def test_cut_inside_reasoning() -> None:
    """A chat whose reasoning was cut goes on as a chat, with nothing lost, and with the usage of both halves."""
    async with client() as line:
        whole = heard(await line.post(CHAT, codec.dumps(FIELDS)))
        events = split_events(await line.post(CHAT, sent(FIELDS)))
        for at in range(2, len(events) - 2):
            recovery = recovery_of(CHAT, FIELDS, BY_IDS)
            out = b"".join(recovery.feed(thought(event)) for event in events[:at])
            leg = await recovery.next_leg(line.ask, is_twin=True)
            assert leg is not None
            assert leg.path == CHAT
            out += recovery.feed(await line.stream(leg))
            again = heard(out)
            assert again.texts["reasoning"] + again.texts["content"] == whole.texts["content"]
            assert len(again.said_by) == 1
            again.texts, again.said_by = whole.texts, whole.said_by
            assert again == whole


async def test_a_replica_that_takes_no_ids() -> None:
    """Where a chat's ids are ignored in silence, nothing goes on by them."""

    class Ignorant(Client):
        @override
        async def ask(self, path: str, body: bytes) -> bytes | None:
            fields = codec.loads(body)
            return await super().ask(path, codec.dumps({k: v for k, v in fields.items() if k != "kv_transfer_params"}))

    async with client() as line:
        ignorant = Ignorant(line.reader, line.writer)
        events = split_events(await line.post(CHAT, sent(FIELDS)))
        recovery = recovery_of(CHAT, FIELDS, BY_IDS)
        for event in events[:5]:
            recovery.feed(thought(event))
        assert await recovery.next_leg(ignorant.ask, is_twin=True) is None


async def test_behind_reasoning() -> None:
    """Behind the reasoning an answer goes on as any other."""
    async with client() as line:
        whole = heard(await line.post(CHAT, codec.dumps(FIELDS)))
        events = split_events(await line.post(CHAT, sent(FIELDS)))
        recovery = recovery_of(CHAT, FIELDS, BY_IDS)
        out = b"".join(recovery.feed(thought(event) if at < 4 else event) for at, event in enumerate(events[:7]))
        leg = await recovery.next_leg(line.ask, is_twin=True)
        assert leg is not None
        assert leg.path == "/v1/completions"
        again = heard(out + recovery.feed(await line.stream(leg)))
        assert again.texts["reasoning"] + again.texts["content"] == whole.texts["content"]
        assert again.usages == whole.usages
