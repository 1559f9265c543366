"""What replicas say of the size of a prompt."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.scripted import Play, Scripted, Visit, scripted
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import (
    GatewayError,
    ModelUnknown,
    ReplicaFailed,
    ReplicaOverloaded,
    ReplicaRefused,
    ReplicaSilent,
    ReplicasUnusable,
    ReplicaUnreachable,
    RouteUnsupported,
)
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.counting import Counted, Counting
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
TOLD = b'{"count":5,"max_model_len":4096,"tokens":[1,2,3,4,5],"token_strs":null}'
NO_ROUTE = b'{"detail":"Not Found"}'


def saying(body: bytes = TOLD, status: str = "200 OK") -> Play:
    """Return a replica that answers everything like this."""

    async def play(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say_json(body, status)

    return play


async def hanging_up(visit: Visit) -> None:
    """Answer nothing."""
    await visit.request()


async def mute(visit: Visit) -> None:
    """Answer nothing, and keep the caller waiting."""
    await visit.until_closed()


@dataclass
class Fleet:
    """Replicas, and what they are."""

    servers: Sequence[Scripted]
    replicas: Sequence[Replica]

    def asked(self) -> list[int]:
        """Return how many connections each of them has seen."""
        return [len(server.visits) for server in self.servers]


@asynccontextmanager
async def fleet(*plays: Play, route: str = "tiny") -> AsyncIterator[Fleet]:
    """Run replicas that are healthy."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(scripted(play)) for play in plays]
        upstreams = [Upstream(url=server.url, route=route) for server in servers]
        pool = Pool(upstreams, clock=SystemClock(), connect_s=1)
        stack.callback(pool.close)
        for replica in pool.replicas:
            replica.see(Sign.PROBE_ANSWERED)
        yield Fleet(servers, pool.replicas)


async def question(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a replica is asked about a chat."""
    heard = []

    async def play(visit: Visit) -> None:
        heard.append(await visit.request())
        await visit.say_json(TOLD)

    async with fleet(play) as running:
        await Counting().count(running.replicas, body)
    head, _, asked = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /tokenize HTTP/1.1\r\n")
    return dict(codec.loads(asked))


async def test_the_count_and_the_length_of_the_context_are_read() -> None:
    """Token ids beside them are not looked at; the length may be missing."""
    for told, counted in (
        (TOLD, Counted(5, 4096)),
        (b'{"tokens": [1, 2], "count": 2}', Counted(2, None)),
        (b'{"count":100000,"max_model_len":200000,"tokens":[' + b"12345," * 99_999 + b"1]}", Counted(100_000, 200_000)),
    ):
        async with fleet(saying(told)) as running:
            assert await Counting().count(running.replicas, CHAT) == counted


async def test_what_makes_the_prompt_is_asked_and_nothing_else() -> None:
    """Sampling parameters do not change a prompt; tools and the template's arguments do."""
    more = {
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "chat_template_kwargs": {"a": 1},
        "add_generation_prompt": False,
        "continue_final_message": True,
        "mm_processor_kwargs": {"b": 2},
    }
    assert await question({**CHAT, **more, "temperature": 1, "max_tokens": 5, "stream": True}) == {**CHAT, **more}
    assert await question({**CHAT, "tools": None, "add_generation_prompt": None}) == CHAT


async def test_what_only_chats_take_by_name_is_asked_among_the_templates_arguments() -> None:
    """A chat's `reasoning_effort` and `documents` reach its template; vLLM turns thinking on by the first."""
    assert await question({**CHAT, "reasoning_effort": "low", "documents": [{"text": "x"}]}) == {
        **CHAT,
        "chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low", "documents": [{"text": "x"}]},
    }
    own = {"enable_thinking": True, "reasoning_effort": "high"}
    assert (await question({**CHAT, "reasoning_effort": "none", "chat_template_kwargs": own}))[
        "chat_template_kwargs"
    ] == {"enable_thinking": True, "reasoning_effort": "none"}


async def test_the_same_prompt_is_counted_once() -> None:
    """Not even a replica that is gone is missed; another prompt, and another route, are asked about."""
    counting = Counting()
    async with fleet(saying()) as running:
        assert await counting.count(running.replicas, CHAT) == Counted(5, 4096)
        assert await counting.count(running.replicas, {**CHAT, "max_tokens": 9}) == Counted(5, 4096)
    assert await counting.count(running.replicas, CHAT) == Counted(5, 4096)
    with pytest.raises(ReplicaUnreachable):
        await counting.count(running.replicas, {**CHAT, "messages": []})
    async with fleet(saying(b'{"count": 9}'), route="other") as others:
        assert await counting.count(others.replicas, CHAT) == Counted(9, None)


async def test_a_replica_that_was_away_is_asked_again() -> None:
    """It may have come back with another tokenizer; so may one that names other weights, or was seen to be wrong."""
    heard = []

    async def play(visit: Visit) -> None:
        while True:
            heard.append(await visit.request())
            await visit.say_json(TOLD)

    async with fleet(play) as running:
        counting, (replica,) = Counting(), running.replicas

        def row(root: str) -> None:
            replica.models = {"m": {"id": "m", "root": root}}

        def away() -> None:
            replica.see(Sign.UNREACHABLE)
            replica.see(Sign.PROBE_ANSWERED)

        def forget() -> None:
            counting.forget(running.replicas, CHAT)

        asked = []
        changes: list[Callable[[], None]] = [lambda: None, away, lambda: row("a"), lambda: row("b"), forget]
        for change in changes:
            change()
            for _ in range(2):
                await counting.count(running.replicas, CHAT)
            asked.append(len(heard))
        assert asked == [1, 2, 3, 4, 5]


async def test_few_counts_are_remembered_and_the_oldest_is_forgotten() -> None:
    """What was asked for lately stays."""
    heard = []

    async def play(visit: Visit) -> None:
        while True:
            heard.append((await visit.request()).rpartition(b"\r\n\r\n")[2])
            await visit.say_json(TOLD)

    async with fleet(play) as running:
        counting = Counting(most=2)
        for name in "abacab":
            await counting.count(running.replicas, {**CHAT, "model": name})
    assert [codec.loads(body)["model"] for body in heard] == ["a", "b", "c", "b"]


async def test_the_replica_that_knows_the_prompt_is_asked_first_then_the_least_busy() -> None:
    """Nobody else is asked when it can say."""
    async with fleet(saying(), saying(), saying()) as running:
        for replica, outstanding in zip(running.replicas, (2, 3, 1), strict=True):
            replica.outstanding = outstanding
        await Counting().count(running.replicas, CHAT, prefers="tiny-2")
        assert running.asked() == [0, 1, 0]
        await Counting().count(running.replicas, CHAT, prefers="gone")
        assert running.asked() == [0, 1, 1]
        running.replicas[1].see(Sign.UNREACHABLE)
        await Counting().count(running.replicas, CHAT, prefers="tiny-2")
        assert running.asked()[:2] == [0, 1]


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (hanging_up, ReplicaUnreachable),
        (mute, ReplicaSilent),
        (saying(b"no", "500 Internal Server Error"), ReplicaFailed),
        (saying(b"no", "503 Service Unavailable"), ReplicaOverloaded),
        (saying(b'{"error":{"message":"bad key"}}', "401 Unauthorized"), ReplicaFailed),
        (saying(b'{"error":{"message":"m","param":"model"}}', "404 Not Found"), ModelUnknown),
        (saying(b'{"error":{"message":"slow"}}', "429 Too Many Requests"), ReplicaRefused),
        (saying(b'{"tokens":[]}'), ReplicaFailed),
    ],
    ids=["hangs up", "mute", "500", "503", "key", "other model", "429", "nonsense"],
)
async def test_another_replica_is_asked_when_one_cannot_say(play: Play, error: type[GatewayError]) -> None:
    """Each is asked once; when none can, the last one's reason is told."""
    async with fleet(play, saying()) as running:
        counting = Counting(timeout_s=0.1)
        assert await counting.count(running.replicas, CHAT, prefers="tiny-1") == Counted(5, 4096)
    async with fleet(play, play) as running:
        with pytest.raises(error):
            await counting.count(running.replicas, {**CHAT, "model": "n"})
        assert running.asked() == [1, 1]
        assert not any(replica.lacks for replica in running.replicas)


async def test_a_prompt_that_is_none_is_refused_in_the_replicas_words() -> None:
    """Another replica would say the same: it is not asked, and nothing is remembered."""
    refusal = b'{"error":{"message":"roles must alternate","type":"BadRequestError","param":"messages","code":400}}'
    async with fleet(saying(refusal, "400 Bad Request"), saying()) as running:
        counting = Counting()
        for _ in range(2):
            with pytest.raises(ReplicaRefused, match="roles must alternate") as refused:
                await counting.count(running.replicas, CHAT, prefers="tiny-1")
            assert (refused.value.status, refused.value.param) == (400, "messages")
        assert running.asked() == [1, 0]


async def test_a_replica_without_the_route_is_passed_over_from_then_on() -> None:
    """Servers that are no vLLM, or an old one, do not count."""
    async with fleet(saying(NO_ROUTE, "404 Not Found"), saying()) as running:
        for name in ("a", "b"):
            await Counting().count(running.replicas, {**CHAT, "model": name}, prefers="tiny-1")
        assert running.asked() == [1, 1]
        assert running.replicas[0].lacks == {"/tokenize"}


async def test_when_none_has_the_route_the_sentence_says_what_to_do() -> None:
    """It names the setting, at the first question and at all that follow."""
    lacking = saying(NO_ROUTE, "405 Method Not Allowed"), saying(NO_ROUTE, "404 Not Found")
    async with fleet(*lacking) as running:
        for _ in range(2):
            with pytest.raises(RouteUnsupported, match="tokenizer_path"):
                await Counting().count(running.replicas, CHAT)
        assert running.asked() == [1, 1]


async def test_without_a_healthy_replica_nobody_is_asked() -> None:
    """The caller may try again."""
    async with fleet(saying()) as running:
        running.replicas[0].see(Sign.UNREACHABLE)
        with pytest.raises(ReplicasUnusable):
            await Counting().count(running.replicas, CHAT)
        assert running.asked() == [0]


@pytest.mark.parametrize(("status", "waits"), [(b"429 Too Many Requests", 429), (b"503 Service Unavailable", 503)])
async def test_a_replica_that_names_a_wait_is_believed(status: bytes, waits: int) -> None:
    """Whoever may not count now may count later; the caller learns when."""

    async def busy(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 %s\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}" % status)
        await visit.until_closed()

    async with fleet(busy) as running:
        with pytest.raises(GatewayError) as refusal:
            await Counting().count(running.replicas, CHAT)
    assert (refusal.value.status, refusal.value.retry_after_s) == (waits, 7)
