"""Another model answers when the one that was asked for cannot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.gateway import Gateway
from tests.wire.sims import asked, fast, fleet
from tests.wire.talking import new, say
from vllm_gateway.admission.keys.record import new_record
from vllm_gateway.admission.keys.secret import mint
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.outcomes import Outcome
from vllm_gateway.sim import RunningSim

CHAT = "/v1/chat/completions"
LONG = "word " * 400


@asynccontextmanager
async def two_models(**settings: Any) -> AsyncIterator[tuple[RunningSim, RunningSim, Gateway]]:  # noqa: ANN401 - any setting
    """Run a small model on one route and a large one on another."""
    small = fast(models=("small",), max_model_len=256, embedding_models=())
    large = fast(models=("large",), max_model_len=4096, embedding_models=())
    settings = {"retry": {"wait_s": 0}, **settings}
    async with fleet(small, large, routes=("left", "right"), **settings) as (sims, door):
        yield sims[0], sims[1], door


def asking(model: str = "small", content: str = "Hi", **more: object) -> dict[str, object]:
    """Return a short question to a model."""
    return {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 4, **more}


@pytest.mark.parametrize("fault", ["status=500", "status=503", "status=429", "status=429:9", "reset", "status=504"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_fallback_answers_when_all_replicas_have_failed(fault: str, *, stream: bool) -> None:
    """The reply names who answered."""
    async with two_models(fallbacks={"small": ["large"]}) as (small, _, door):
        small.faults.add([fault])
        reply = await door.http.post(CHAT, json=asking(stream=stream))
        assert reply.status_code == 200
        assert '"model":"large"' in reply.text
        assert '"model":"small"' not in reply.text
        assert door.parts.ledger.outcomes == {Outcome.OK_RETRIED: 1}


async def test_a_fallback_answers_when_no_replica_is_healthy() -> None:
    """Nobody had to be asked in vain."""
    async with two_models(fallbacks={"small": ["large"]}, probe={"every_s": 600, "panic_percent": 0}) as (
        small,
        large,
        door,
    ):
        await small.close()
        for _ in range(4):
            reply = await door.http.post(CHAT, json=asking())
            assert (reply.status_code, reply.json()["model"]) == (200, "large")
        assert len(asked(large)) == 4
        assert [each["model"] for each in asked(large)] == ["large"] * 4


@pytest.mark.parametrize("fault", ["status=400", "status=422", "filter"])
async def test_a_refusal_is_the_callers_and_stays_with_its_model(fault: str) -> None:
    """No other model is asked to overlook it."""
    async with two_models(fallbacks={"small": ["large"]}, context_fallbacks={"small": ["large"]}) as (
        small,
        large,
        door,
    ):
        small.faults.add([fault])
        reply = await door.http.post(CHAT, json=asking())
        assert reply.status_code in {400, 422}
        assert asked(large) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_is_too_long_goes_to_a_larger_model(*, stream: bool) -> None:
    """And one that fits stays."""
    async with two_models(context_fallbacks={"small": ["large"]}) as (small, large, door):
        reply = await door.http.post(CHAT, json=asking(content=LONG, stream=stream))
        assert reply.status_code == 200
        assert '"model":"large"' in reply.text
        reply = await door.http.post(CHAT, json=asking(stream=stream))
        assert '"model":"small"' in reply.text
        assert (len(asked(small)), len(asked(large))) == (2, 1)


async def test_without_a_larger_model_the_replicas_own_words_pass() -> None:
    """Byte for byte, as ever."""
    async with two_models(fallbacks={"small": ["large"]}) as (small, large, door):
        reply = await door.http.post(CHAT, json=asking(content=LONG))
        direct = await door.http.post(f"{small.url.removesuffix('/v1')}{CHAT}", json=asking(content=LONG))
        assert (reply.status_code, reply.content) == (400, direct.content)
        assert asked(large) == []


async def test_what_is_too_long_is_told_as_such_when_the_larger_model_fails() -> None:
    """The larger one is down: it is still the prompt that is too long."""
    async with two_models(context_fallbacks={"small": ["large"]}) as (_, large, door):
        large.faults.add(["status=500"])
        reply = await door.http.post(CHAT, json=asking(content=LONG))
        assert reply.status_code == 400
        assert "maximum context length is 256" in reply.json()["error"]["message"]


async def test_the_error_is_about_the_model_that_was_asked_for() -> None:
    """With its own time to come again."""
    async with two_models(fallbacks={"small": ["large"]}) as (small, large, door):
        small.faults.add(["status=429:9"])
        large.faults.add(["status=500"])
        reply = await door.http.post(CHAT, json=asking())
        assert (reply.status_code, reply.headers["retry-after"]) == (429, "9")


async def test_an_alias_and_its_model_have_the_same_fallbacks() -> None:
    """Names of either kind may stand in the settings, and in the request."""
    settings = {"aliases": {"gpt": "small", "big": "large"}, "fallbacks": {"gpt": ["big"]}}
    async with two_models(**settings) as (small, _, door):
        small.faults.add(["status=500"])
        for name in ("gpt", "small"):
            reply = await door.http.post(CHAT, json=asking(name))
            assert (reply.status_code, reply.json()["model"]) == (200, "large")


async def test_a_fallback_need_not_be_one_that_may_be_asked_for() -> None:
    """The settings' list is about what callers name."""
    async with two_models(fallbacks={"small": ["large"]}, allowed_models=["small"]) as (small, _, door):
        small.faults.add(["status=500"])
        assert (await door.http.post(CHAT, json=asking())).json()["model"] == "large"
        assert (await door.http.post(CHAT, json=asking("large"))).status_code == 403


async def test_a_caller_gets_no_model_that_its_key_may_not_ask_for(tmp_path: Path) -> None:
    """Not as a fallback either; another key gets it."""
    path = tmp_path / "keys.yaml"
    store = FileStore(path)
    narrow, wide = mint(), mint()
    await store.add(new_record(narrow, name="narrow", created=0.0, models=("small",)))
    await store.add(new_record(wide, name="wide", created=0.0))
    auth = {"mode": "keys", "keys_file": str(path)}
    async with two_models(fallbacks={"small": ["large"]}, auth=auth) as (small, large, door):
        small.faults.add(["status=500"])
        for key, status in ((narrow, 502), (wide, 200)):
            reply = await door.http.post(CHAT, json=asking(), headers={"authorization": f"Bearer {key}"})
            assert reply.status_code == status
        assert len(asked(large)) == 1


async def test_a_failed_model_costs_the_caller_nothing() -> None:
    """With one request in the minute the fallback may still answer, and only its tokens count."""
    limits = {"requests_per_minute": 1, "per": "ip"}
    async with two_models(fallbacks={"small": ["large"]}, limits=limits) as (small, _, door):
        small.faults.add(["status=500"])
        reply = await door.http.post(CHAT, json=asking())
        assert (reply.status_code, reply.json()["model"]) == (200, "large")
        assert (await door.http.post(CHAT, json=asking())).status_code == 429


async def test_nothing_is_begun_anew_behind_a_part_of_an_answer() -> None:
    """A stream that breaks off ends with an error event, and not with another model's words."""
    async with two_models(fallbacks={"small": ["large"]}) as (small, large, door):
        small.faults.add(["reset@2"])
        text = ""
        async with door.http.stream("POST", CHAT, json=asking(stream=True)) as reply:
            with suppress(httpx2.RemoteProtocolError):  # it is cut off behind the error
                async for line in reply.aiter_lines():
                    text += line
        assert '"error"' in text
        assert "[DONE]" not in text
        assert asked(large) == []


async def test_a_turn_of_a_session_falls_back_too() -> None:
    """The conversation goes on with the model that answers, and with its own again when that is back."""
    async with two_models(fallbacks={"small": ["large"]}) as (small, large, door):
        session = await new(door, model="small")
        small.faults.add(["status=500x1"])
        for words in ("Hi", "And now?"):
            assert (await say(door, session, words)).status_code == 200
        assert len(asked(large)) == 1
        assert [message["content"] for message in asked(small)[-1]["messages"] if message["role"] == "user"] == [
            "Hi",
            "And now?",
        ]
