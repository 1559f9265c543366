"""The replicas that break, and those that say what is right."""

from vllm_gateway.chaos import answer
from vllm_gateway.chaos.caller import Target, ask
from vllm_gateway.chaos.fleet import CHAT, LARGE_MODEL, MODEL, Trap, calm, fleet
from vllm_gateway.chaos.questions import CHAT_STREAM, CHAT_WHOLE, question, too_long
from vllm_gateway.sim import RunningSim


async def asked(sim: RunningSim, kind: str = "", *, mark: str = "") -> int | None:
    """Ask a replica, and return the status."""
    each = question(CHAT_WHOLE, 0, mark=mark, model=kind or MODEL, max_tokens=2)
    return (await ask(Target(sim.host, sim.port), each.path, each.body, patience_s=5)).status


def test_a_trap_springs_once() -> None:
    """The first request with the mark meets the fault; others, and the next with the same mark, do not."""
    trap = Trap()
    trap.set("(case a-1)", "reset")
    assert trap(b"(case a-10)") == []
    assert trap(b"before (case a-1) behind") == ["reset"]
    assert trap(b"before (case a-1) behind") == []
    assert trap(b"no mark") == []


async def test_replicas_share_one_trap() -> None:
    """Whichever replica is asked first meets the fault, and the other one answers."""
    async with calm() as undisturbed, fleet(undisturbed, (0, 0)) as both:
        both.trap.set("(case b-1)", "status=500")
        first, second = both.replicas
        assert await asked(second, mark="(case b-1)") == 500
        assert await asked(first, mark="(case b-1)") == 200
        assert both.attempts() == 2
        assert [seen.fault for seen in both.seen()] == [None, "status=500"]


async def test_rest_heals_and_forgets() -> None:
    """After a rest nothing is broken and nothing was seen."""
    async with calm() as undisturbed, fleet(undisturbed) as three:
        three.replicas[0].faults.add(["status=503"])
        assert await asked(three.replicas[0]) == 503
        await three.rest()
        assert (three.attempts(), await asked(three.replicas[0])) == (0, 200)


async def test_what_is_right_is_what_the_replicas_say() -> None:
    """An undisturbed replica gives the same text, end and usage as one of the fleet."""
    each = question(CHAT_STREAM, 2)
    async with calm() as undisturbed, fleet(undisturbed) as three:
        expected = await undisturbed.expected(each.path, each.body)
        sim = three.replicas[1]
        heard = await ask(Target(sim.host, sim.port), each.path, each.body, patience_s=5)
    told = answer.read(heard, is_stream=True)
    assert (told.text, told.finishes, told.usages) == (expected.text, [expected.finish], [expected.usage])
    assert expected.usage.completion > 8
    assert (expected.is_stream, expected.is_chat, expected.asks_usage) == (True, True, True)


async def test_answers_have_characters_of_several_bytes() -> None:
    """Some of what is asked is answered in more than ASCII, or cuts inside a character would be left out."""
    async with calm() as undisturbed:
        bodies = [question(CHAT_STREAM, number).body for number in range(6)]
        texts = [(await undisturbed.expected(CHAT, body)).text for body in bodies]
    assert any(not text.isascii() for text in texts)


async def test_refusals_are_known() -> None:
    """A prompt that is too long is refused, as is what a filter catches; the larger model takes the long one."""
    async with calm() as undisturbed:
        long = too_long(CHAT_WHOLE, 1, mark="", model=MODEL)
        refusal = await undisturbed.refusal(long.path, long.body)
        assert refusal.status == 400
        assert b"context length" in refusal.body
        short = question(CHAT_WHOLE, 1)
        assert b"content_filter" in (await undisturbed.refusal(short.path, short.body, "filter")).body
        large = too_long(CHAT_WHOLE, 1, mark="", model=LARGE_MODEL)
        assert (await undisturbed.expected(large.path, large.body)).text
