"""A caller and what becomes of its questions."""

import pytest
from typing_extensions import override

from tests.scripted import Visit, scripted
from vllm_gateway import codec
from vllm_gateway.bench.load.asking import Asking
from vllm_gateway.bench.load.caller import Aim, Caller, Nobody, Shared
from vllm_gateway.bench.load.record import Record
from vllm_gateway.bench.load.target import Target
from vllm_gateway.bench.prompts.conversation import Conversation, Listed

PIECE = b'{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}'


def shared(port: int, *listed: Conversation, models: tuple[str, ...] = ("m",), timeout_s: float = 5.0) -> Shared:
    """Return what callers of a server on this machine share."""
    aim = Aim(Target("127.0.0.1", port), Asking(is_stream=False), models, 9, timeout_s)
    return Shared(aim, Listed(listed or (Conversation(("a",)),)), Nobody())


async def test_a_conversation_grows_by_its_answers() -> None:
    """Each turn is asked with all that was said before; then the next conversation begins, with the next model."""
    asked = []

    async def play(visit: Visit) -> None:
        while True:
            asked.append(codec.loads((await visit.request()).split(b"\r\n\r\n")[1]))
            await visit.say_json(PIECE)

    async with scripted(play) as server:
        talks = (Conversation(("a", "b"), "rules", 4), Conversation(("c",)))
        all_of_them = shared(server.port, *talks, models=("m", "n"))
        caller = Caller(all_of_them)
        for _ in range(3):
            await caller.ask()
        all_of_them.connections.close()
    assert [each["messages"][-1]["content"] for each in asked] == ["a", "b", "c"]
    assert asked[1]["messages"][1:3] == [{"role": "user", "content": "a"}, {"role": "assistant", "content": "yes"}]
    assert asked[1]["messages"][0] == {"role": "system", "content": "rules"}
    assert [(each["model"], each["max_tokens"]) for each in asked] == [("m", 4), ("m", 4), ("n", 9)]
    assert [(each.conversation, each.turn) for each in all_of_them.records] == [(0, 0), (0, 1), (1, 0)]


async def test_a_conversation_that_failed_is_given_up() -> None:
    """What would be asked next makes no sense without the answer."""

    async def play(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say_json(b"{}", "500 Internal Server Error")

    async with scripted(play) as server:
        all_of_them = shared(server.port, Conversation(("a", "b")))
        caller = Caller(all_of_them)
        await caller.ask()
        await caller.ask()
        all_of_them.connections.close()
    assert [(each.conversation, each.turn, each.error) for each in all_of_them.records] == [
        (0, 0, "http_500"),
        (1, 0, "http_500"),
    ]


async def test_whatever_goes_wrong_is_of_a_kind() -> None:
    """Nobody there, no answer, half an answer, silence."""

    async def play(visit: Visit) -> None:
        await visit.request()
        if visit.number == 2:
            await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        elif visit.number == 3:
            await visit.until_closed()

    async with scripted(play) as server:
        breaking, silent, nobody = shared(server.port), shared(server.port, timeout_s=0.1), shared(1)
        for each in (breaking, breaking, silent, nobody):
            await Caller(each).ask()
    records = breaking.records + silent.records + nobody.records
    assert [each.error for each in records] == ["reset", "cut", "timeout", "connect"]
    assert all(each.error_text for each in records)


async def test_times_count_from_the_plan() -> None:
    """Which is now, where there is none."""
    told: list[Record] = []

    class Looking(Nobody):
        @override
        def sent(self, record: Record) -> None:
            assert record.first_byte_at is None
            told.append(record)

        @override
        def ended(self, record: Record) -> None:
            assert record.first_byte_at is not None
            told.append(record)

    async def play(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say_json(PIECE)

    async with scripted(play) as server:
        all_of_them = shared(server.port)
        all_of_them.onlooker = Looking()
        await Caller(all_of_them).ask()
        await Caller(all_of_them).ask(all_of_them.records[0].planned_at)
        all_of_them.connections.close()
    first, second = all_of_them.records
    assert first.planned_at == first.sent_at
    assert second.planned_at == first.planned_at
    assert second.late_s > 0
    assert told == [first, first, second, second]
    assert second.e2e_s == pytest.approx((second.last_output_at or 0) - first.planned_at)
