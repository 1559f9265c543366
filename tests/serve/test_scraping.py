"""The numbers of all parts, and of all workers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.exchanges import exchange
from tests.gateway import settings_of
from vllm_gateway.admission.keys.record import new_record
from vllm_gateway.admission.keys.secret import mint
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.callers import Caller
from vllm_gateway.outcomes import Outcome
from vllm_gateway.serve.assembly import Parts, build
from vllm_gateway.serve.scraping import MOST_BACKENDS
from vllm_gateway.serve.together import open_together
from vllm_gateway.sim import SimSettings, start
from vllm_gateway.upstream.health import Sign

AWAY = "http://127.0.0.1:9"
Page = dict[tuple[str, ...], float]


async def scraped(parts: Parts) -> Page:
    """Return the values of a page under the names and the labels' values of their series."""
    page = (await parts.scraping.page()).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def ended(parts: Parts, outcome: Outcome, caller: str = "") -> None:
    """Let a request come and go."""
    one = exchange()
    one.caller = Caller(caller)
    parts.ledger.open(one)
    parts.ledger.close(one, outcome)


@asynccontextmanager
async def workers(folder: Path, *numbers: int, count: int = 2) -> AsyncIterator[list[Parts]]:
    """Put workers together that know of each other."""
    async with AsyncExitStack() as stack:
        found = []
        for number in numbers:
            parts = await stack.enter_async_context(build(settings_of(AWAY)))
            together = open_together(parts, folder=folder, number=number, count=count, reloaded=lambda: None)
            await stack.enter_async_context(together)
            found.append(parts)
        yield found


async def test_what_goes_on_is_read_when_it_is_asked_for() -> None:
    """Requests under way, replicas and their breakers."""
    async with build(settings_of(AWAY)) as parts:
        under_way = exchange()
        parts.ledger.open(under_way)
        (replica,) = parts.pool.replicas
        replica.outstanding = 3
        page = await scraped(parts)
        assert page["gateway_inflight_requests",] == 1
        assert page["gateway_workers",] == 1
        assert page["gateway_queue_depth",] == 0
        assert page["gateway_backend_up", "default-1"] == 0
        assert page["gateway_backend_inflight_requests", "default-1"] == 3
        assert page["gateway_breaker_state", "default-1", "open"] == 1
        replica.see(Sign.PROBE_ANSWERED)
        parts.ledger.close(under_way, Outcome.OK)
        page = await scraped(parts)
        assert page["gateway_inflight_requests",] == 0
        assert page["gateway_backend_up", "default-1"] == 1
        states = {state: page["gateway_breaker_state", "default-1", state] for state in ("open", "closed", "half_open")}
        assert states == {"open": 0, "closed": 1, "half_open": 0}


async def test_a_key_is_told_by_its_name(tmp_path: Path) -> None:
    """As it was called when it was last known; a key without a name by its id; two keys of one name together.

    Of their budgets the one counts that is used most.
    """
    path = tmp_path / "keys.yaml"
    store = FileStore(path)
    records = [new_record(mint(), name=name, created=1.0) for name in ("ann", "twin", "twin")]
    for record in records:
        await store.add(record)
    async with build(settings_of(AWAY, auth={"mode": "keys", "keys_file": str(path)})) as parts:
        for record in records:
            ended(parts, Outcome.OK, record.caller().id)
        ended(parts, Outcome.OK, "key-of-the-settings")
        for number, record in enumerate(records):
            parts.scraping._requests._budgets[record.caller().id] = (0.1 * number, float("inf"))
        page = await scraped(parts)
        used = {labels[0]: value for (name, *labels), value in page.items() if name == "gateway_budget_used_ratio"}
        assert used == {"ann": 0, "twin": 0.2}
        wanted = {"ann": 1, "twin": 2, "key-of-the-settings": 1}
        assert keys_in(await scraped(parts)) == wanted
        await store.revoke(records[0].id, 2.0)
        await parts.keys.refresh()
        assert keys_in(await scraped(parts)) == wanted
    await store.close()


def keys_in(page: Page) -> dict[str, float]:
    """Return the requests of every key."""
    return {labels[0]: value for (name, *labels), value in page.items() if name == "gateway_key_requests_total"}


async def test_replicas_that_come_and_go_make_no_end_of_series() -> None:
    """Beyond so many names they are counted together."""
    async with build(settings_of(AWAY)) as parts:
        for number in range(MOST_BACKENDS + 10):
            parts.pool.tally.attempts[f"r-{number}", "ok"] += 2
        page = await scraped(parts)
        names = [labels for labels in page if labels[0] == "gateway_upstream_attempts_total"]
        assert len(names) == MOST_BACKENDS + 1
        assert page["gateway_upstream_attempts_total", "other", "ok"] == 20


async def test_second_replicas_and_broken_streams_are_counted() -> None:
    """As the pool has them, whatever front has let them happen."""
    async with build(settings_of(AWAY)) as parts:
        parts.pool.tally.hedges.update(asked=3, won=1)
        parts.pool.tally.resumes["resumed", "upstream_interrupted"] += 2
        parts.pool.tally.ejections["default-1", "stalled"] += 1
        page = await scraped(parts)
        assert (page["gateway_hedges_total", "asked"], page["gateway_hedges_total", "won"]) == (3, 1)
        assert page["gateway_resumes_total", "resumed", "upstream_interrupted"] == 2
        assert page["gateway_backend_ejections_total", "default-1", "stalled"] == 1


async def test_faults_of_stores_are_counted() -> None:
    """By what is kept there; what the limiter did instead has a metric of its own."""
    async with build(settings_of(AWAY)) as parts:
        assert parts.scraping._parts.limiter.counters == {}
        parts.scraping._parts.limiter.counters.update(redis_errors=2, fail_open=3, fail_closed=1)
        page = await scraped(parts)
        stores = {labels[1]: value for labels, value in page.items() if labels[0] == "gateway_store_errors_total"}
        assert stores == {"limits": 2, "keys": 0, "sessions": 0}
        assert page["gateway_limiter_fallbacks_total", "fail_open"] == 3
        assert page["gateway_limiter_fallbacks_total", "fail_closed"] == 1


async def test_the_series_of_replicas_are_as_of_the_last_look() -> None:
    """A replica that does not answer any more has none; they can be left out."""
    sim = await start(SimSettings())
    async with build(settings_of(sim.url)) as parts:
        series = ("vllm:num_requests_running", "default-1", "0", "sim-small")
        assert (await scraped(parts))[series] == 0
        parts.scraping.includes_replicas = False
        assert series not in await scraped(parts)
        parts.scraping.includes_replicas = True
        await sim.close()
        await parts.reloading.look()
        assert not any(name.startswith("vllm:") for name, *_ in await scraped(parts))


async def test_one_scrape_tells_of_all_workers(tmp_path: Path) -> None:
    """Whichever is asked; what they count is added up, what they see of replicas is not."""
    async with workers(tmp_path, 0, 1) as both:
        for parts in both:
            ended(parts, Outcome.OK)
        ended(both[1], Outcome.TIMEOUT)
        both[1].pool.replicas[0].see(Sign.PROBE_ANSWERED)
        pages = [await scraped(parts) for parts in both]
        assert pages[0] == pages[1]
        assert pages[0]["gateway_workers",] == 2
        counted = {labels[-1]: value for labels, value in pages[0].items() if labels[0] == "gateway_requests_total"}
        assert counted == {"ok": 2, "timeout": 1}
        assert pages[0]["gateway_backend_up", "default-1"] == 0
        assert pages[0]["gateway_breaker_state", "default-1", "open"] == 1
        assert pages[0]["gateway_breaker_state", "default-1", "closed"] == 1


async def test_no_count_goes_back_when_a_worker_is_gone(tmp_path: Path) -> None:
    """What was seen of it stays, while nobody has its place and when somebody has."""
    name = ("gateway_requests_total", "/v1/chat/completions", "other", "none", "ok")
    async with workers(tmp_path, 0) as (first,):
        async with workers(tmp_path, 1) as (second,):
            ended(first, Outcome.OK)
            for _ in range(5):
                ended(second, Outcome.OK)
            assert (await scraped(first))[name] == 6
        alone = await scraped(first)
        assert (alone[name], alone["gateway_workers",]) == (6, 1)
        async with workers(tmp_path, 1) as (next_one,):
            assert (await scraped(first))[name] == 6
            ended(next_one, Outcome.OK)
            again = await scraped(next_one)
            assert (again[name], again["gateway_workers",]) == (7, 2)
