"""Admin routes that tell of all workers; over real processes it is seen in `tests/wire/test_workers.py`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.edge.house.replicas import serving
from tests.exchanges import exchange
from tests.gateway import settings_of
from tests.scripted import scripted
from vllm_gateway.outcomes import Outcome
from vllm_gateway.serve.assembly import Parts, build
from vllm_gateway.serve.together import merged_replicas, merged_requests, open_together

ADMIN_KEY = "the-admin-key-of-the-tests"


@asynccontextmanager
async def worker(folder: Path, number: int, *urls: str) -> AsyncIterator[tuple[Parts, httpx2.AsyncClient, list[int]]]:
    """Put a worker together; give a client for its admin routes, and the times that it told of a reload."""
    told: list[int] = []
    async with (
        build(settings_of(*urls, auth={"admin_key": ADMIN_KEY})) as parts,
        open_together(parts, folder=folder, number=number, count=2, reloaded=lambda: told.append(1)) as admin,
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=admin),  # type: ignore[arg-type] # an ASGI application
            base_url="http://localhost",
            headers={"authorization": f"Bearer {ADMIN_KEY}"},
        ) as client,
    ):
        yield parts, client, told


def drained(parts: Parts) -> dict[str, bool]:
    """Return the replicas by address, and whether each is asked nothing new."""
    return {replica.url: replica.is_draining for replica in parts.pool.replicas}


async def test_what_one_worker_is_asked_to_do_both_do(tmp_path: Path) -> None:
    """Drain, resume, add, remove and reload hold in both when the answer comes; a refusal changes nothing."""
    async with AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(scripted(serving("m"))) for _ in range(3)]
        first, asked, told = await stack.enter_async_context(worker(tmp_path, 0, one.url, two.url))
        second, _, _ = await stack.enter_async_context(worker(tmp_path, 1, one.url, two.url))
        await asked.post("/admin/replicas/default-1/drain", json={})
        assert drained(second) == drained(first) == {one.url: True, two.url: False}
        await asked.post("/admin/replicas/default-1/resume", json={})
        assert not any(drained(second).values())
        added = await asked.post("/admin/replicas", json={"url": three.url, "api_key": "sk-of-three"})
        assert added.status_code == 201
        assert [(each.url, each.key, each.is_known) for each in second.pool.replicas[2:]] == [
            (three.url, b"sk-of-three", True)
        ]
        await asked.delete("/admin/replicas/default-2")
        assert set(drained(second)) == set(drained(first)) == {one.url, three.url}
        assert (await asked.post("/admin/replicas", json={"url": one.url})).status_code == 400
        assert (await asked.delete("/admin/replicas/nobody")).status_code == 404
        assert (await asked.post("/admin/reload", json={})).json()["changed"] == []
        assert told == [1]


async def test_a_worker_that_comes_later_makes_up_for_what_was_done(tmp_path: Path) -> None:
    """Its replicas are those of the other one, with the keys and the rest of what was said of them."""
    async with AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(scripted(serving("m"))) for _ in range(3)]
        _, asked, _ = await stack.enter_async_context(worker(tmp_path, 0, one.url, two.url))
        await asked.post("/admin/replicas", json={"url": three.url, "api_key": "sk-of-three", "weight": 2})
        await asked.post("/admin/replicas/default-3/drain", json={})
        await asked.delete("/admin/replicas/default-1")
        later, _, _ = await stack.enter_async_context(worker(tmp_path, 1, one.url, two.url))
        assert drained(later) == {two.url: False, three.url: True}
        (added,) = (replica for replica in later.pool.replicas if replica.url == three.url)
        assert (added.key, added.weight, added.source) == (b"sk-of-three", 2.0, "added")


async def test_other_admin_routes_answer_as_ever(tmp_path: Path) -> None:
    """What concerns one worker only is not asked of the other; without the key nothing is done anywhere."""
    async with scripted(serving("m")) as one, worker(tmp_path, 0, one.url) as (parts, asked, _):
        assert (await asked.get("/admin/config")).json()["object"] == "config"
        assert (await asked.get("/admin/nothing")).status_code == 404
        (told,) = (await asked.get("/admin/replicas")).json()["data"]
        assert (told["name"], told["usable"]) == ("default-1", True)
        assert (await asked.get("/admin/requests")).json() == {"object": "list", "data": []}
        refused = await asked.delete("/admin/replicas/default-1", headers={"authorization": "Bearer wrong"})
        assert (refused.status_code, len(parts.pool.replicas)) == (401, 1)


def telling(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return what a worker tells of a replica."""
    fields = {"usable": True, "known": True, "outstanding": 0, "work": 0.0, "others": 0, "failures": 0}
    return {"name": "default-1", **fields, **changes}


def test_a_replica_of_several_workers_is_told_once() -> None:
    """What they ask it is added up; what one sees of the other's requests is nothing foreign."""
    place = ["default", "http://h", None]
    one, two = telling(outstanding=3, work=2.5, others=6), telling(outstanding=4, work=1.0, others=5, usable=False)
    (merged,) = merged_replicas([[(place, one)], [(place, two)]])
    assert (merged["outstanding"], merged["work"], merged["others"], merged["usable"]) == (7, 3.5, 2, False)


def test_requests_of_all_workers_stand_in_one_list() -> None:
    """The oldest first."""
    merged = merged_requests(
        [[{"id": "a", "seconds": 1.0}], [{"id": "b", "seconds": 3.0}, {"id": "c", "seconds": 0.5}]]
    )
    assert [each["id"] for each in merged] == ["b", "a", "c"]


async def test_a_request_is_stopped_in_whichever_worker_it_is(tmp_path: Path) -> None:
    """The worker that is asked need not be the one that answers it; one that is nowhere is not found."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(scripted(serving("m")))
        _, asked, _ = await stack.enter_async_context(worker(tmp_path, 0, one.url))
        second, _, _ = await stack.enter_async_context(worker(tmp_path, 1, one.url))
        elsewhere = exchange(request_id="request-there")
        second.ledger.open(elsewhere)
        assert (await asked.delete("/admin/requests/request-nowhere")).status_code == 404
        assert elsewhere.stopped_by is None
        reply = await asked.delete("/admin/requests/request-there")
        assert (reply.status_code, [each["id"] for each in reply.json()["data"]]) == (200, ["request-there"])
        assert elsewhere.stopped_by is not None


async def test_what_has_just_ended_is_told_of_all_workers(tmp_path: Path) -> None:
    """Sums go over the requests of all of them."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(scripted(serving("m")))
        first, asked, _ = await stack.enter_async_context(worker(tmp_path, 0, one.url))
        second, _, _ = await stack.enter_async_context(worker(tmp_path, 1, one.url))
        for parts in (first, second, second):
            ended = exchange()
            parts.ledger.open(ended)
            parts.ledger.close(ended, Outcome.TIMEOUT)
        said = (await asked.get("/admin/recent")).json()
        assert (said["requests"], said["failed"], len(said["notable"])) == (3, 3, 3)
