"""One streamed answer over all the replicas that it comes from."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.recovery.legs import (
    CHAT,
    COMPLETIONS,
    MAX_MODEL_LEN,
    asked_for,
    client,
    heard,
    recovery_of,
    sent,
)
from tests.dialects.recovery.test_every_cut import BY_IDS
from vllm_gateway import codec
from vllm_gateway.dialects.recovery.recovery import ChunkRecovery
from vllm_gateway.dialects.recovery.safety import Ways
from vllm_gateway.dialects.sse import split_events
from vllm_gateway.errors import ReplicaFailed, ReplicaTruncated
from vllm_gateway.settings.fleet import Resume

BY_REPLAY = Ways(by_ids=False, by_replay=True)
NO_WAY = Ways(by_ids=False, by_replay=False)
FIELDS: dict[str, Any] = {
    "model": "sim-small",
    "stream": True,
    "max_tokens": 12,
    "temperature": 0,
    "messages": [{"role": "user", "content": "日本 🙂"}],
    "stream_options": {"include_usage": True},
}
PROMPT = {"model": "sim-small", "stream": True, "max_tokens": 12, "prompt": "日本 🙂"}
SAID = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null,"token_ids":[1]}]}\n\n'


async def nobody(path: str, body: bytes) -> bytes | None:
    """Answer no question."""
    raise AssertionError(path, body)


def timeless(stream: bytes) -> bytes:
    """Leave out of a stream what differs between two of them."""
    return re.sub(rb'"created":\d+', b'"created":0', stream)


@pytest.mark.parametrize(("path", "fields"), [(CHAT, FIELDS), (COMPLETIONS, PROMPT)])
@pytest.mark.parametrize("live", [False, True])
async def test_nobody_sees_the_ids(path: str, fields: dict[str, Any], live: bool) -> None:
    """A stream with ids becomes, byte by byte, the stream without."""
    options = {"stream_options": {"include_usage": True, "continuous_usage_stats": live}}
    async with client() as line:
        plain = await line.post(path, codec.dumps(fields | options))
        stream = await line.post(path, sent(fields | options))
    assert timeless(recovery_of(path, fields | options, BY_IDS).feed(stream)) == timeless(plain)


async def test_ids_that_were_asked_for() -> None:
    """Who asks for ids gets them, from every replica that goes on."""
    fields = FIELDS | {"return_token_ids": True, "messages": [{"role": "user", "content": "plain"}]}
    async with client() as line:
        stream = await line.post(CHAT, sent(fields))
        recovery = recovery_of(CHAT, fields, BY_IDS)
        out = recovery.feed(b"".join(split_events(stream)[:6]))
        leg = await recovery.next_leg(line.ask, is_twin=True)
        assert leg is not None
        out += recovery.feed(await line.stream(leg))
    assert heard(out) == heard(stream)
    assert len(heard(out).token_ids) > 6


@given(st.data())
def test_reads_end_anywhere(data: st.DataObject) -> None:
    """Whole events go on, wherever a read ends and however lines end; a part of one waits for the rest."""
    end = data.draw(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]))
    events = [
        SAID.replace(b"\n\n", end),
        b": alive" + end,
        SAID.replace(b'"a"', '"ü\\n\\n🙂"'.encode()),
        b"data: [DONE]\n\n",
    ]
    stream = b"".join(events)
    recovery = recovery_of(CHAT, FIELDS, BY_IDS)
    out = b""
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        new = recovery.feed(stream[:size])
        assert not new or new.endswith((b"\n", b"\r"))
        out += new
        stream = stream[size:]
    assert out.replace(b"\r\n", b"\n") == b"".join(events).replace(b"[1]", b"null").replace(b"\r\n", b"\n")


@pytest.mark.parametrize("ways", [BY_IDS, BY_REPLAY])
@pytest.mark.parametrize("broken", [b'data: {"choices":[{"index":0,"del\n\n', b"data: oops}\n\n", b"data: oops\n\n"])
def test_no_json(ways: Ways, broken: bytes) -> None:
    """An event that is no JSON is a replica's failure, and nothing that came with it goes on."""
    recovery = recovery_of(CHAT, FIELDS, ways)
    assert recovery.feed(SAID)
    if broken.endswith(b"}\n\n") and ways is BY_REPLAY:
        return  # not looked at, since it looks like JSON from afar
    with pytest.raises(ReplicaFailed, match="not JSON"):
        recovery.feed(SAID + broken)


def test_too_much_of_an_event() -> None:
    """What goes on for megabytes without an end is no event."""
    recovery = recovery_of(CHAT, FIELDS, BY_IDS)
    assert recovery.feed(b"x" * 4_000_000) == b""
    with pytest.raises(ReplicaFailed, match="too large"):
        recovery.feed(b"x" * 1_000_000)


def test_tokens_without_text() -> None:
    """Events that exist for their ids only, which nobody gets who does not ask for them, are left out."""
    silent = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":null,"token_ids":[2]}]}\n\n'
    ending = silent.replace(b"null", b'"stop"')
    recovery = recovery_of(CHAT, FIELDS, BY_IDS)
    out = recovery.feed(SAID + silent) + recovery.feed(silent) + recovery.feed(ending)
    assert out == (SAID + ending).replace(b"[1]", b"null").replace(b"[2]", b"null")


@pytest.mark.parametrize("ids", [b"[1]", b"[17,4]", b" [1]", b"[]", b"[ 1, 2 ]"])
def test_however_ids_are_written(ids: bytes) -> None:
    """Those of the prompt and those of the answer are hidden, in one event and in several; other lists stay."""
    event = SAID.replace(b":[1]}", b":%b}" % ids).replace(b"}\n\n", b',"others":["token_ids\\":[1]",7]}\n\n')
    first = event.replace(b'{"choices"', b'{"prompt_token_ids":%b,"choices"' % ids)
    recovery = recovery_of(CHAT, FIELDS, BY_IDS)
    out = recovery.feed(first) + recovery.feed(event) + recovery.feed(event + event)
    assert out == (first + event * 3).replace(b'token_ids":%b' % ids, b'token_ids":null')


async def test_nothing_told_yet() -> None:
    """Whatever was asked for, an answer of which nothing was told begins anew; who speaks is told once."""
    fields = FIELDS | {"temperature": 1, "n": 1, "logprobs": True, "unheard_of": 5}
    async with client() as line:
        stream = await line.post(CHAT, codec.dumps(fields))
        for count in (0, 1):
            recovery = ChunkRecovery(asked_for(CHAT, fields), codec.dumps(fields), NO_WAY, Resume())
            out = recovery.feed(b"".join(split_events(stream)[:count]) + b"data: {half")
            leg = await recovery.next_leg(line.ask, is_twin=False)
            assert leg is not None
            assert (leg.path, leg.body) == (CHAT, codec.dumps(fields))
            out += recovery.feed(await line.stream(leg))
            assert heard(out) == heard(stream)


async def test_what_nobody_can_go_on_with() -> None:
    """An answer of which something was told ends where nothing makes sure that the rest fits."""
    recovery = recovery_of(CHAT, FIELDS, NO_WAY)
    assert recovery.feed(SAID) == SAID
    assert await recovery.next_leg(nobody, is_twin=True) is None
    recovery = recovery_of(CHAT, FIELDS, BY_IDS)
    recovery.feed(SAID)
    assert await recovery.next_leg(nobody, is_twin=False) is None


async def test_long_answers_that_cannot_go_on_are_not_kept() -> None:
    """Of an answer that can only begin anew no more is kept than its beginning."""
    recovery = recovery_of(CHAT, FIELDS, NO_WAY)
    silent = SAID.replace(b'"a"', b'""')
    for _ in range(100):
        recovery.feed(silent)
    assert await recovery.next_leg(nobody, is_twin=True) is None


async def test_answers_that_are_too_long() -> None:
    """An answer longer than the settings allow is not kept, and does not go on."""
    for most, count in ((1024, 1000), (1024, 1100)):
        recovery = ChunkRecovery(asked_for(CHAT, FIELDS), sent(FIELDS), BY_REPLAY, Resume(most_tokens=most))
        for _ in range(count):
            recovery.feed(SAID)
        assert (await recovery.next_leg(nobody, is_twin=True) is None) == (count > most)


async def test_replay_where_ids_do_not_help() -> None:
    """On a replica of another version an answer that is the same every time is heard again from its beginning."""
    async with client() as line:
        stream = await line.post(CHAT, sent(FIELDS))
        recovery = recovery_of(CHAT, FIELDS)
        out = recovery.feed(b"".join(split_events(stream)[:6]))
        leg = await recovery.next_leg(line.ask, is_twin=False)
        assert leg is not None
        assert leg.path == CHAT
        assert "/detokenize" not in line.asked
        rest = split_events(await line.stream(leg))
        out += recovery.feed(b"".join(rest[:9]))
        leg = await recovery.next_leg(line.ask, is_twin=True)
        assert leg is not None
        assert leg.path == COMPLETIONS  # the ids of the second telling are as good as those of the first
        out += recovery.feed(await line.stream(leg))
    again = heard(out)
    assert again == heard(recovery_of(CHAT, FIELDS, BY_IDS).feed(stream))


async def test_another_answer() -> None:
    """A replica that says something else is found out, and nothing of what it says goes on."""
    async with client() as line, client(seed=1) as other:
        recovery = recovery_of(CHAT, FIELDS)
        recovery.feed(b"".join(split_events(await line.post(CHAT, sent(FIELDS)))[:6]))
        leg = await recovery.next_leg(line.ask, is_twin=False)
        assert leg is not None
        with pytest.raises(ReplicaTruncated):
            recovery.feed(await other.stream(leg))


async def test_replicas_that_fail_before_they_answer() -> None:
    """A replica that was asked and said nothing changes nothing for the one after it."""
    async with client() as line:
        stream = await line.post(CHAT, sent(FIELDS))
        whole = heard(recovery_of(CHAT, FIELDS, BY_IDS).feed(stream))
        recovery = recovery_of(CHAT, FIELDS, BY_IDS)
        out = recovery.feed(b"".join(split_events(stream)[:6]))
        legs = [await recovery.next_leg(line.ask, is_twin=True) for _ in range(3)]
        assert legs[0] == legs[1] == legs[2]
        assert legs[0] is not None
        out += recovery.feed(await line.stream(legs[0]))
    assert heard(out) == whole


async def test_how_long_the_model_is() -> None:
    """Without a length that was asked for, the answer may fill the model's context, and nothing else will do."""
    fields = {name: value for name, value in FIELDS.items() if name != "max_tokens"}
    async with client() as line:
        events = split_events(await line.post(CHAT, sent(fields)))[:6]
        for most in (MAX_MODEL_LEN, None):
            recovery = ChunkRecovery(asked_for(CHAT, fields), sent(fields), BY_IDS, Resume(), max_model_len=most)
            recovery.feed(b"".join(events))
            leg = await recovery.next_leg(line.ask, is_twin=True)
            assert (leg is None) == (most is None)
