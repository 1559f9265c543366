"""Before the load."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.making import planned
from tests.scripted import Visit, as_replica, scripted
from vllm_gateway.bench.load.fetching import fetch
from vllm_gateway.bench.preparing import CannotMeasure, prepare, source
from vllm_gateway.bench.prompts.synthetic import Lengths
from vllm_gateway.sim import SimSettings, start


async def test_the_server_is_asked_what_it_is() -> None:
    """Its first model, its version, and how many tokens words have."""
    sim = await start(SimSettings(ttft_ms=0, ttft_ms_per_1k=0, itl_ms=0, models=("one", "two")))
    try:
        prepared, lengths = await prepare(planned(server={"url": sim.url, "model": (), "direct": sim.url}))
        assert (prepared.models, prepared.version, prepared.notes) == (("one",), "0.32.0", ())
        assert 0.5 < lengths.tokens_per_word < 4
        plan = planned(server={"url": sim.url, "model": ("two", "one")}, prompts={"synthetic": "300,8"})
        prepared, lengths = await prepare(plan)
        assert prepared.models == ("two", "one")
        body = plan.asking.body("two", [{"role": "user", "content": source(plan, lengths).draw(0).turns[0]}], 1)
        assert len(body) > 300
    finally:
        await sim.close()


async def test_made_up_prompts_have_about_the_wanted_length() -> None:
    """As the server counts."""
    sim = await start(SimSettings(ttft_ms=0, ttft_ms_per_1k=0, itl_ms=0))
    try:
        plan = planned(
            server={"url": sim.url, "model": ("sim-small",)}, load={"seed": 1}, prompts={"synthetic": "400,8"}
        )
        _, lengths = await prepare(plan)
        drawn = source(plan, lengths).draw(3)
        said = [{"role": "user", "content": drawn.turns[0]}]
        asking = replace(plan.asking, is_stream=False)
        told = await fetch(plan.target, asking.endpoint.path, asking.body("sim-small", said, 1))
    finally:
        await sim.close()
    assert told["usage"]["prompt_tokens"] == pytest.approx(400, rel=0.15)


async def test_a_server_that_tells_no_usage_is_noted() -> None:
    """Nothing is guessed silently."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(b'{"choices":[{"message":{"content":"a"}}]}')

    async with scripted(as_replica(answer)) as server:
        prepared, lengths = await prepare(planned(server={"url": server.url}))
    assert lengths == Lengths()
    assert prepared.version is None
    assert len(prepared.notes) == 1
    assert "could not be measured" in prepared.notes[0]
    assert "tells no usage" in prepared.notes[0]


@pytest.mark.parametrize(
    ("models", "sentence"),
    [(b'{"data":[]}', "names no model: say which with --model"), (b"[1]", "names no model"), (b"<", "is no JSON")],
)
async def test_a_server_without_a_model_cannot_be_measured(models: bytes, sentence: str) -> None:
    """Unless one is named."""

    async def play(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say_json(models)

    async with scripted(play) as server:
        with pytest.raises(CannotMeasure, match=sentence):
            await prepare(planned(server={"url": server.url, "model": ()}))


async def test_a_server_that_is_not_there_cannot_be_measured() -> None:
    """Neither can the gateway without its replica."""
    with pytest.raises(CannotMeasure, match="cannot be reached"):
        await prepare(planned(server={"url": "http://127.0.0.1:1", "model": ()}))
    with pytest.raises(CannotMeasure, match="cannot be reached"):
        await prepare(planned(server={"direct": "http://127.0.0.1:1"}))


async def test_a_server_that_will_refuse_everything_cannot_be_measured() -> None:
    """It knows no such model, or no such key; its own words say so."""
    sim = await start(SimSettings(api_key="k"))
    try:
        with pytest.raises(CannotMeasure, match=r"answers 404: .*does not exist"):
            await prepare(planned(server={"url": sim.url, "api_key": "k"}))
        with pytest.raises(CannotMeasure, match="answers 401"):
            await prepare(planned(server={"url": sim.url}))
    finally:
        await sim.close()


async def test_what_shortens_times_is_noted(tmp_path: Path) -> None:
    """A seed that was given, and prompts that are asked again."""
    path = tmp_path / "prompts.txt"
    path.write_text("a\nb\n")
    sim = await start(SimSettings())
    try:
        for prompts, requests, notes in (({"prompts": path}, 3, 2), ({"prompts": path}, 2, 1)):
            plan = planned(server={"url": sim.url}, load={"seed": 1, "requests": requests}, prompts=prompts)
            prepared, _ = await prepare(plan)
            assert len(prepared.notes) == notes
        salted = planned(server={"url": sim.url}, load={"requests": 3}, prompts={"prompts": path, "salt": True})
        assert (await prepare(salted))[0].notes == ()
    finally:
        await sim.close()


def test_two_targets_get_different_words(tmp_path: Path) -> None:
    """Made up or salted, so that neither warms the other's prefix cache."""
    plan = planned(server={"direct": "http://b"})
    assert source(plan, Lengths(), side="a").draw(0) != source(plan, Lengths(), side="b").draw(0)
    path = tmp_path / "prompts.txt"
    path.write_text("a\nb\n")
    plan = planned(server={"direct": "http://b"}, prompts={"prompts": path})
    assert source(plan, Lengths(), side="a").draw(0) != source(plan, Lengths(), side="b").draw(0)
    plan = planned(prompts={"prompts": path})
    assert source(plan, Lengths()).draw(3).turns == ("b",)
