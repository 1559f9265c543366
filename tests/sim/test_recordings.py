"""The sim against what a real vLLM answered to the same requests."""

import re
from collections.abc import AsyncIterator
from itertools import groupby
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.recorded import FOLDER
from tests.sim.quick import Quick, quick
from vllm_gateway import codec

Recording = dict[str, Any]
HEADERS = ("content-type", "allow", "transfer-encoding", "retry-after")

DIFFERENT_WORDS = {
    "chat_malformed_json": "another JSON parser finds other words for what is wrong",
    "messages_malformed_json": "another JSON parser finds other words for what is wrong",
    "responses_no_input": "vLLM counts a field that it has added itself",
}
"""Recordings whose error message differs, and why; all else about them is the same."""

OTHER_STOP = {"chat_stop", "chat_stop_stream", "messages_stop", "messages_stop_stream"}
"""They stop inside the first word, which is another one here: so is the stop string."""

EVERY: dict[str, Recording] = {path.stem: codec.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
ALL = [name for name in EVERY if not name.startswith("metrics")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def replicas() -> AsyncIterator[dict[str, Quick]]:
    """A generating and an embedding sim, with the flags of the recorded vLLM."""
    flags: dict[str, Any] = {"per_request_metrics": True, "itl_ms": 0.1}
    async with (
        quick(models=("tiny-llama",), embedding_models=(), **flags) as generate,
        quick(models=(), embedding_models=("tiny-embed",), **flags) as embed,
    ):
        yield {"generate": generate, "embed": embed}


async def ask(replicas: dict[str, Quick], name: str) -> httpx2.Response:
    """Send the recorded request."""
    request = EVERY[name]["request"]
    body = (request["body"] or "").encode()
    http = replicas[EVERY[name]["replica"]].http
    if name in OTHER_STOP:
        whole = (await ask(replicas, "chat")).json()["choices"][0]["message"]["content"]
        body = body.replace(b'["e"]', f'["{whole[1]}"]'.encode())
    return await http.request(request["method"], request["path"], headers=request["headers"], content=body)


def told(name: str) -> str:
    """Return the recorded body."""
    response = EVERY[name]["response"]
    body: str = "".join(response["events"]) if "events" in response else response["body"]
    return body


def shape(value: Any) -> Any:  # noqa: ANN401 - of any JSON
    """Return keys in order and the types of everything; of a list, the different shapes in it."""
    if isinstance(value, dict):
        if value and all(isinstance(part, float) for part in value.values()) and not _is_timing(value):
            return "map of numbers"
        return [(key, shape(part)) for key, part in value.items()]
    if isinstance(value, list):
        shapes = [shape(part) for part in value]
        return ["list", *(one for at, one in enumerate(shapes) if one not in shapes[:at])]
    return type(value).__name__


def _is_timing(value: dict[str, Any]) -> bool:
    return "queue_time_ms" in value


def event_shapes(stream: str) -> list[Any]:
    """Return the shapes of the events of a stream in order, those that repeat once."""
    shapes = []
    for event in stream.split("\n\n"):
        name, _, data = event.rpartition("data: ")
        if data:
            shapes.append((name, data if data == "[DONE]" else shape(codec.loads(data))))
    return [one for one, _ in groupby(shapes)]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ALL)
async def test_the_sim_answers_as_a_real_vllm_did(replicas: dict[str, Quick], name: str) -> None:
    """Status, headers, the keys and types at every level, and the words of errors are those of the recording."""
    answer = await ask(replicas, name)
    recorded = EVERY[name]["response"]
    assert answer.status_code == recorded["status"]
    for header in HEADERS:
        assert answer.headers.get(header) == recorded["headers"].get(header), header
    assert ("x-request-id" in answer.headers) == ("x-request-id" in recorded["headers"])
    if "events" in recorded:
        assert event_shapes(answer.text) == event_shapes(told(name))
    elif not told(name):
        assert answer.text == ""
    elif recorded["status"] >= 400 and name not in DIFFERENT_WORDS:
        assert answer.json() == codec.loads(told(name))
    else:
        assert shape(answer.json()) == shape(codec.loads(told(name)))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", DIFFERENT_WORDS)
async def test_each_known_difference_is_still_one(replicas: dict[str, Quick], name: str) -> None:
    """The list of excuses names nothing that needs no excuse, and what it names differs in a few words only."""
    answer, recorded = (await ask(replicas, name)).text, told(name)
    assert answer != recorded
    differing = re.compile(r"'ctx': .*}\}|of \d items")
    assert differing.sub("", answer) == differing.sub("", recorded)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_series_has_the_name_type_and_labels_of_vllms(replicas: dict[str, Quick]) -> None:
    """A dashboard or a probe made for vLLM reads the sim's metrics: nothing on the page is the sim's own invention."""
    await ask(replicas, "chat")
    page = (await replicas["generate"].http.get("/metrics")).text
    types = re.compile(r"^# TYPE (\S+) (\S+)$", flags=re.MULTILINE)
    own = set(types.findall(page))
    assert own <= set(types.findall(told("metrics")))
    assert len(own) > 30
    assert _series(page) <= _series(told("metrics"))


def _series(page: str) -> set[tuple[str, tuple[str, ...], str]]:
    """Return each sample's name, the names of its labels, and its bucket."""
    found = set()
    for name, labels in re.findall(r"^(vllm:\w+)\{(.*)\} ", page, flags=re.MULTILINE):
        edge = re.search(r'le="([^"]+)"', labels)
        names = () if name == "vllm:cache_config_info" else tuple(re.findall(r'(\w+)="', labels))
        found.add((name, names, edge[1] if edge else ""))
    return found
