"""`ask` as a program: what is on stdout, what is on stderr, and the exit status."""

import asyncio
import signal
import sys
from typing import Any

import pytest

from tests.terminal.conftest import House, house
from tests.waiting import until
from vllm_gateway import codec
from vllm_gateway.terminal.ask import Question, run
from vllm_gateway.terminal.parameters import Parameters


async def asked(home: House, question: Question, *, by_step: bool = False) -> int:
    """Ask in a thread, as the program's own event loop does."""
    return await asyncio.to_thread(run, home.target, question, by_step=by_step)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_nothing_but_the_answer_is_on_stdout(capsys: pytest.CaptureFixture[str], *, is_streamed: bool) -> None:
    """A complete answer has status 0, and nothing is said about it."""
    async with house() as home:
        assert await asked(home, Question("Hello", is_streamed=is_streamed)) == 0
        whole = await home.client.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]})
    answer = whole["choices"][0]["message"]["content"]
    told = capsys.readouterr()
    assert (told.out.rstrip("\n"), told.err) == (answer.rstrip("\n"), "")


async def test_json_has_text_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """One object, at the end."""
    async with house() as home:
        question = Question("Hello", is_json=True, parameters=Parameters(max_tokens=5), may_be_cut=True)
        assert await asked(home, question) == 0
    told = codec.loads(capsys.readouterr().out)
    assert told["finish_reason"] == "length"
    assert told["usage"]["completion_tokens"] == 5
    assert told["content"]


async def test_an_answer_that_is_cut_is_not_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it was to be cut there; what has come is on stdout all the same."""
    async with house() as home:
        assert await asked(home, Question("Hello", parameters=Parameters(max_tokens=5))) == 1
        cut = capsys.readouterr()
        home.sim.faults.add(["reset@5"])
        assert await asked(home, Question("Hello")) == 1
        broken = capsys.readouterr()
    assert "not complete: it ended at the most tokens" in cut.err
    assert broken.out.endswith("\n")
    assert broken.err.startswith("vllm-gateway ask: ")
    assert len(broken.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"auth": {"mode": "keys", "client_keys": ("client-key-1",)}}, "key"),
        ({"limits": {"requests_per_minute": 1, "per": "ip"}}, "1 request per minute"),
    ],
)
async def test_a_refusal_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], settings: dict[str, Any], sentence: str
) -> None:
    """A wrong key, or too many requests: the gateway says which, nothing is on stdout, and the status is 1."""
    async with house(**settings) as home:
        await asked(home, Question("Hello"))
        capsys.readouterr()
        assert await asked(home, Question("Hello")) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("vllm-gateway ask: ")
    assert sentence in told.err
    assert len(told.err.splitlines()) == 1


async def test_a_gateway_that_is_away_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With its address, and what to look at."""
    async with house() as home:
        target = home.target
    assert await asyncio.to_thread(run, target, Question("Hello")) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"vllm-gateway ask: No gateway answers at {target.url}. Is it running, and is the address right?\n"
    )


async def test_a_conversation_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The question and its answer are kept in the session; one that is not there is told."""
    async with house() as home:
        session = (await home.client.post("/v1/sessions", {}))["id"]
        assert await asked(home, Question("Hello", session=session)) == 0
        kept = await home.client.get(f"/v1/sessions/{session}/messages")
        assert [row["content"] for row in kept["data"]] == ["Hello", capsys.readouterr().out.removesuffix("\n")]
        assert await asked(home, Question("Hello", session="sess_none")) == 1
    assert "session" in capsys.readouterr().err


async def test_where_a_model_must_be_named_the_first_one_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """That is said, on stderr; with steps, too, every call is made once."""
    async with house(default_model=None) as home:
        assert await asked(home, Question("Hello")) == 0
        told = capsys.readouterr()
        assert await asked(home, Question("Hello"), by_step=True) == 0
        assert capsys.readouterr().out.count("curl ") == 5
    assert told.err == "vllm-gateway ask: sim-small answers; --model names another one.\n"
    assert told.out


async def test_ctrl_c_ends_it_with_130_and_stops_the_model() -> None:
    """What had come is on stdout; there is no traceback."""
    async with house(itl_ms=50) as home:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vllm_gateway", "ask", "--url", home.front.url, "--seed", "1", "Hello"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert program.stdout is not None
        assert await program.stdout.read(1)
        program.send_signal(signal.SIGINT)
        _, err = await program.communicate()
        await until(lambda: not home.sim.engine.scheduler.running, within_s=20)
    assert program.returncode == 130
    assert err.strip() == b""
