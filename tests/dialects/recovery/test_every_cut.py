"""Answers of a real sim that are cut everywhere: between any two tokens, and between any two bytes."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dialects.recovery.legs import CHAT, COMPLETIONS, Client, Heard, client, heard, recovery_of, sent
from vllm_gateway import codec
from vllm_gateway.dialects.recovery.recovery import ChunkRecovery
from vllm_gateway.dialects.recovery.safety import Ways
from vllm_gateway.dialects.sse import split_events
from vllm_gateway.exchange import Leg

BY_IDS = Ways(by_ids=True, by_replay=False)
ANSWERS = 200
PARTS = 4

Request = tuple[str, dict[str, Any]]


def requests(count: int) -> Iterator[Request]:
    """Give requests of many kinds; their stop strings are still to be chosen."""
    draw = random.Random(5)  # noqa: S311 - nothing secret
    for number in range(count):
        fields: dict[str, Any] = {"model": "sim-small", "stream": True, "max_tokens": draw.choice((8, 24, 40))}
        if number % 3:
            fields["temperature"] = draw.choice((0, 0, 0.8))
        if number % 2:
            fields["stream_options"] = {"include_usage": True, "continuous_usage_stats": draw.random() < 0.3}
        if draw.random() < 0.2:
            fields["ignore_eos"] = True
        if draw.random() < 0.2:
            fields["min_tokens"] = 5
        if draw.random() < 0.1:
            fields["return_token_ids"] = True
        if number % 4 == 1:
            yield COMPLETIONS, fields | {"prompt": f"Größe {number}: Жёлтый 🙂"}
        else:
            yield CHAT, fields | {"messages": [{"role": "user", "content": f"Erzähl {number} 日本 🙂 {draw.random()}"}]}


def stops_in(text: str, draw: random.Random) -> list[str]:
    """Return stop strings, of which some end the text before its end."""
    at = draw.randrange(len(text))
    return [text[at : at + draw.randint(1, 7)], "never said", *draw.choice(([], [text[-3:]]))]


async def chosen(line: Client, request: Request, draw: random.Random) -> tuple[Heard, list[bytes]]:
    """Choose stop strings for a request; return its answer as its caller gets it, and the events with ids."""
    path, fields = request
    text = "".join(heard(await line.post(path, codec.dumps(fields))).texts.values())
    if draw.random() < 0.6 and text and "min_tokens" not in fields:
        fields["stop"] = stops_in(text, draw)
        fields["include_stop_str_in_output"] = draw.random() < 0.3
    whole = heard(await line.post(path, codec.dumps(fields)))
    return whole, split_events(await line.post(path, sent(fields)))


def finish_of(events: list[bytes]) -> int:
    """Return the place of the event that tells why an answer ended."""
    return next(at for at, event in enumerate(events) if b'"finish_reason":"' in event)


def check(out: bytes, whole: Heard, recovery: ChunkRecovery, about: object) -> None:
    """Assert that a caller got the answer as if it had never been cut."""
    again = heard(out)
    assert len(again.said_by) == 1, about
    again.said_by = whole.said_by
    if recovery.is_over:
        again.fingerprints = whole.fingerprints  # no replica told it before the end
    assert again == whole, about


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_token(part: int) -> None:
    """Wherever an answer is cut between two tokens, the rest by token ids makes it the answer that was never cut."""
    draw = random.Random(part)  # noqa: S311 - nothing secret
    cuts = dropped = held = over = refused = 0
    async with client() as line:
        for path, fields in list(requests(ANSWERS))[part::PARTS]:
            whole, events = await chosen(line, (path, fields), draw)
            for at in range(finish_of(events) + 1):
                recovery = recovery_of(path, fields, BY_IDS)
                out = b"".join(recovery.feed(event) for event in events[:at])
                leg = await recovery.next_leg(line.ask, is_twin=True)
                if leg is None:
                    assert "return_token_ids" in fields, (fields, at)  # some were told that would have to be taken back
                    refused += 1
                    continue
                asked = codec.loads(leg.body)
                is_continued = leg.body != sent(fields)
                out += recovery.feed(await line.stream(leg))
                check(out, whole, recovery, (path, fields, at))
                cuts += 1
                over += recovery.is_over
                held += is_continued and "stop" in fields
                dropped += is_continued and asked["max_tokens"] > fields["max_tokens"] - tokens_in(events[:at])
    assert cuts > 10 * ANSWERS / PARTS
    assert dropped > 0, "no cut was inside a character"
    assert held > 0, "no cut was where text was held back"
    assert over > 0, "no stop string lay across a cut"
    assert refused < cuts / 100


def tokens_in(events: list[bytes]) -> int:
    """Return how many tokens of the answer events tell the ids of."""
    return len(heard(b"".join(events)).token_ids)


async def test_every_byte() -> None:
    """Wherever a stream breaks, inside an event, a character or a line end too, the rest makes the answer whole."""
    messages = [{"role": "user", "content": "日本 🙂 5"}]
    fields: dict[str, Any] = {"model": "sim-small", "stream": True, "max_tokens": 9, "messages": messages}
    fields |= {"temperature": 0, "stream_options": {"include_usage": True}}
    async with client() as line:
        whole = heard(await line.post(CHAT, codec.dumps(fields)))
        stream = await line.post(CHAT, sent(fields))
        legs: dict[Leg, bytes] = {}
        end = stream.index(b'"finish_reason":"')
        for at in range(end):
            recovery = recovery_of(CHAT, fields, BY_IDS)
            out = recovery.feed(stream[:at])
            leg = await recovery.next_leg(line.ask, is_twin=True)
            assert leg is not None
            if leg not in legs:
                legs[leg] = await line.stream(leg)
            rest = legs[leg]
            half = at % len(rest)
            out += recovery.feed(rest[:half]) + recovery.feed(rest[half:])
            check(out, whole, recovery, at)


async def test_again_and_again() -> None:
    """An answer whose replicas all fail after some tokens is still the one that was never cut."""
    draw = random.Random(3)  # noqa: S311 - nothing secret
    switches = 0
    async with client() as line:
        for path, fields in list(requests(60)):
            if "return_token_ids" in fields:
                continue
            whole, events = await chosen(line, (path, fields), draw)
            recovery = recovery_of(path, fields, BY_IDS)
            out = b""
            for _ in range(draw.randint(2, 6)):
                at = draw.randint(1, 6)
                if at > finish_of(events):
                    break
                out += recovery.feed(b"".join(events[:at]))
                if recovery.is_over:
                    break
                leg = await recovery.next_leg(line.ask, is_twin=True)
                assert leg is not None, fields
                events = split_events(await line.stream(leg))
                switches += 1
            check(out + recovery.feed(b"".join(events)), whole, recovery, fields)
    assert switches > 100
