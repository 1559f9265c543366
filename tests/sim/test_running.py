"""Starting and stopping."""

import asyncio
import re
import signal
import subprocess
import sys
from typing import Any

import httpx2
import pytest

from tests.sim.quick import HELLO, LONG, quick, text_of
from tests.waiting import PATIENCE_S
from vllm_gateway.clock import HandClock
from vllm_gateway.sim import SimSettings, start
from vllm_gateway.sim.running import banner

PROGRAM = "import sys; from vllm_gateway.sim import SimSettings, run; sys.exit(run(SimSettings(port=int(sys.argv[1]))))"


def program(port: int) -> subprocess.Popen[str]:
    """Start a sim as a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_says_where_it_is_and_ends_when_told(number: signal.Signals) -> None:
    """Two lines with an address and a curl line that works; then a signal, and exit status 0 without a word."""
    running = program(0)
    try:
        assert running.stdout is not None
        told = running.stdout.readline() + running.stdout.readline()
        curl = re.search(r"curl (http://127\.0\.0\.1:\d+/v1/chat/completions) .*-d '(.*)'", told)
        assert curl is not None
        answer = httpx2.post(curl[1], content=curl[2], headers={"content-type": "application/json"}, trust_env=False)
        assert answer.status_code == 200
        running.send_signal(number)
        assert running.communicate(timeout=PATIENCE_S) == ("", "")
        assert running.returncode == 0
    finally:
        running.kill()


async def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    """The program ends with 1 and says what to do."""
    async with quick() as sim:
        running = program(sim.sim.port)
        out, err = await asyncio.to_thread(running.communicate, timeout=PATIENCE_S)
        assert (running.returncode, out) == (1, "")
        assert re.fullmatch(r"The sim cannot listen on 127\.0\.0\.1:\d+: .*\. Choose another --port\.\n", err)


async def test_closing_cuts_what_is_open() -> None:
    """A stream that runs when the sim closes is broken off, and nothing stays behind."""
    async with (
        quick(itl_ms=5) as sim,
        sim.http.stream("POST", "/v1/chat/completions", json=LONG | {"stream": True}) as got,
    ):
        lines = got.aiter_lines()
        await anext(lines)
        await sim.sim.close()
        with pytest.raises(httpx2.RemoteProtocolError):
            async for _ in lines:
                pass
        assert sim.sim.log.open_connections == 0
        assert not sim.sim.engine.scheduler.running


async def test_sims_with_one_seed_answer_alike() -> None:
    """Two replicas of the same seed are the same model; another seed is another one."""
    texts = []
    for seed in (1, 1, 2):
        async with quick(seed=seed) as sim:
            answer = await sim.post("/v1/chat/completions", **HELLO)
            texts.append((answer["choices"][0]["message"]["content"], answer["system_fingerprint"]))
    assert texts[0] == texts[1] != texts[2]


async def test_a_hundred_streams_at_once_say_what_one_alone_says() -> None:
    """Nothing of one answer gets into another."""
    async with quick(itl_ms=0.5, max_num_seqs=40) as sim:
        asked = [HELLO | {"messages": [{"role": "user", "content": f"Question {number}"}]} for number in range(20)]
        alone = [text_of(await sim.stream("/v1/chat/completions", **body)) for body in asked]
        together = await asyncio.gather(*(sim.stream("/v1/chat/completions", **body) for body in asked * 5))
        assert [text_of(chunks) for chunks in together] == alone * 5
        assert sim.sim.engine.scheduler.most_running == 40


async def test_the_clock_that_is_handed_in_tells_the_time() -> None:
    """`created` is the clock's wall time, not the machine's."""
    sim = await start(SimSettings(ttft_ms=0), clock=HandClock(wall=1_234_567_890))
    async with httpx2.AsyncClient(base_url=sim.url, trust_env=False) as http:
        answer = await http.post("/v1/chat/completions", json=HELLO | {"max_tokens": 1})
    await sim.close()
    assert answer.json()["created"] == 1_234_567_890


@pytest.mark.parametrize("settings", [{}, {"models": ()}, {"api_key": "secret"}])
async def test_the_line_to_try_works_for_every_kind_of_sim(settings: dict[str, Any]) -> None:
    """One that generates, one that only embeds, and one that wants a key."""
    async with quick(**settings) as sim:
        found = re.search(r"curl (\S+)( -H 'authorization: (.*?)')? -H '.*?' -d '(.*)'", banner(sim.sim))
        assert found is not None
        headers = {"content-type": "application/json", "authorization": found[3] or ""}
        assert (await sim.http.post(found[1], content=found[4], headers=headers)).status_code == 200
