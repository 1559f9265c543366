"""All replicas: who came, who went, whose turn it is."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.scripted import scripted
from tests.upstream.test_replica import quiet
from vllm_gateway.clock import HandClock
from vllm_gateway.routing.load import least_busy
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.connection import Connection
from vllm_gateway.upstream.pool import Change, Pool
from vllm_gateway.upstream.replica import ADDED, CONFIGURED, Replica

_PLACES = st.lists(st.sampled_from(["a/h1", "a/h2", "a/h3", "b/h1", "b/h2"]), max_size=6)
_STEPS = st.lists(st.tuples(st.sampled_from([CONFIGURED, "file"]), _PLACES), max_size=8)


def test_names_count_within_their_route_and_tell_no_address() -> None:
    """Names are for people and for replies, where an address must not appear."""
    upstreams = [Upstream(url="http://10.0.0.1:1", route=route) for route in ("tiny", "big", "tiny")]
    pool = Pool(upstreams, clock=HandClock(), connect_s=1)
    assert [replica.name for replica in pool.replicas] == ["tiny-1", "big-1", "tiny-2"]


def chosen(pool: Pool, times: int) -> list[str]:
    """Let the policy choose among idle replicas, and return the names in order."""
    names = []
    for _ in range(times):
        replica = least_busy(pool.replicas)
        pool.chosen(replica)
        names.append(replica.name)
    return names


def test_idle_equals_take_turns() -> None:
    """One after the other, also when nothing overlaps."""
    pool = Pool([Upstream(url="http://a"), Upstream(url="http://b")], clock=HandClock(), connect_s=1)
    assert chosen(pool, 4) == ["default-1", "default-2"] * 2


def test_weight_counts_among_the_idle_too() -> None:
    """A replica of weight 4 gets four turns for one of its neighbour's."""
    upstreams = [Upstream(url="http://a", weight=4), Upstream(url="http://b", weight=1)]
    pool = Pool(upstreams, clock=HandClock(), connect_s=1)
    assert chosen(pool, 100).count("default-1") == 80


def test_who_was_away_does_not_get_all_the_turns_it_missed() -> None:
    """A replica that comes back takes its place among the others, and no more."""
    pool = Pool([Upstream(url="http://a"), Upstream(url="http://b")], clock=HandClock(), connect_s=1)
    present, away = pool.replicas
    for _ in range(50):
        pool.chosen(present)
    assert chosen(pool, 4).count(away.name) <= 3


async def test_closing_the_pool_closes_what_is_free() -> None:
    """No connection outlives the gateway."""
    async with scripted(quiet) as server:
        pool = Pool([Upstream(url=server.url)], clock=HandClock(), connect_s=1)
        connection: Connection = await pool.replicas[0].checkout()
        pool.replicas[0].give_back(connection)
        pool.close()
        assert not connection.is_open


def upstreams(*places: str, **settings: object) -> list[Upstream]:
    """Return replicas at these hosts, as `route/host`."""
    found = []
    for place in places:
        route, host = place.split("/")
        found.append(Upstream.model_validate({"url": f"http://{host}", "route": route, **settings}))
    return found


def names(pool: Pool) -> list[str]:
    """Return the names of the replicas."""
    return [replica.name for replica in pool.replicas]


def test_what_stays_is_the_same_replica_with_other_settings() -> None:
    """Health, name and counters stay; weight, limits and key are taken over; a `/v1` at the end makes no difference."""
    pool = Pool(upstreams("a/h1", "a/h2"), clock=HandClock(), connect_s=1)
    first, second = pool.replicas
    second.outstanding = 3
    wanted = Upstream.model_validate(
        {"url": "http://h2/v1", "route": "a", "weight": 2, "max_concurrent": 7, "api_key": "sk-new"}
    )
    change = pool.follow(CONFIGURED, [wanted])
    assert (pool.replicas, change) == ((second,), Change((), (first,), (second,)))
    assert (second.name, second.outstanding, second.weight, second.max_outstanding) == ("a-2", 3, 2, 7)
    assert b"Authorization: Bearer sk-new" in second.request(b"GET", "/health")
    assert (first.is_usable, first.is_removed) == (False, True)


def test_another_route_or_another_place_is_another_replica() -> None:
    """What is known of one model says nothing of another; the name of one that rested is free at once."""
    pool = Pool(upstreams("a/h1"), clock=HandClock(), connect_s=1)
    (first,) = pool.replicas
    pool.follow(CONFIGURED, upstreams("b/h1"))
    assert (names(pool), first.is_removed) == (["b-1"], True)
    pool.follow(CONFIGURED, upstreams("b/h2"))
    assert names(pool) == ["b-1"]


def test_the_same_place_twice_is_two_replicas() -> None:
    """Who writes it twice gets it twice, also when it is read again."""
    pool = Pool(upstreams("a/h", "a/h"), clock=HandClock(), connect_s=1)
    before = pool.replicas
    pool.follow(CONFIGURED, upstreams("a/h", "a/h"))
    assert pool.replicas == before
    pool.follow(CONFIGURED, upstreams("a/h"))
    assert names(pool) == ["a-1"]


def test_a_name_is_free_when_its_last_answer_has_ended() -> None:
    """Nobody in the log is two replicas at once."""
    pool = Pool(upstreams("a/h1", "a/h2"), clock=HandClock(), connect_s=1)
    gone = pool.replicas[0]
    gone.outstanding = 1
    pool.follow(CONFIGURED, upstreams("a/h2", "a/h3"))
    assert names(pool) == ["a-2", "a-3"]
    gone.outstanding = 0
    assert pool.add(upstreams("a/h4")[0]).name == "a-1"


def test_sources_do_not_touch_each_other() -> None:
    """A reload leaves alone what was discovered or added by hand."""
    pool = Pool(upstreams("a/h1"), clock=HandClock(), connect_s=1)
    pool.follow("file", upstreams("a/h1", "a/h2"))
    by_hand = pool.add(upstreams("a/h3")[0])
    pool.follow(CONFIGURED, [])
    assert [(replica.name, replica.source) for replica in pool.replicas] == [
        ("a-2", "file"),
        ("a-3", "file"),
        ("a-4", ADDED),
    ]
    assert pool.remove("a-4") is by_hand
    assert pool.remove("a-4") is None


def test_new_replicas_can_come_before_others_go() -> None:
    """What was prepared is there already when the list is followed."""
    pool = Pool(upstreams("a/h1"), clock=HandClock(), connect_s=1)
    (new,) = pool.prepare(CONFIGURED, upstreams("a/h2"))
    assert names(pool) == ["a-1", "a-2"]
    assert pool.prepare(CONFIGURED, upstreams("a/h2")) == ()
    pool.follow(CONFIGURED, upstreams("a/h2"))
    assert pool.replicas == (new,)


def test_every_change_is_told_once_it_is_made() -> None:
    """Those who keep something about replicas hear of it; draining twice is one change."""
    pool = Pool(upstreams("a/h1"), clock=HandClock(), connect_s=1)
    (first,) = pool.replicas
    told: list[Change] = []
    pool.told.append(told.append)
    for is_draining in (True, True, False):
        assert pool.drain("a-1", is_draining=is_draining) is first
        assert first.is_draining is is_draining
    new = pool.add(upstreams("a/h2")[0])
    pool.remove("a-1")
    altered = Change(altered=(first,))
    assert told == [altered, altered, Change(added=(new,)), Change(removed=(first,))]
    assert pool.drain("nobody") is None


async def test_a_removed_replica_keeps_no_connection() -> None:
    """The free ones are closed at once, those that are in use when they are given back."""
    async with scripted(quiet) as server:
        pool = Pool([Upstream(url=server.url)], clock=HandClock(), connect_s=1)
        (replica,) = pool.replicas
        free, used = await replica.checkout(), await replica.checkout()
        replica.give_back(free)
        pool.remove(replica.name)
        assert (free.is_open, used.is_open) == (False, True)
        replica.give_back(used)
        assert not used.is_open


@given(_STEPS, st.data())
def test_whatever_is_followed_the_pool_is_what_was_wanted_last(
    steps: list[tuple[str, list[str]]], data: st.DataObject
) -> None:
    """Each source has exactly what it wants, names are unique, and a replica stays as long as its place is wanted."""
    pool = Pool(clock=HandClock(), connect_s=1)
    wanted: dict[str, list[str]] = {}
    for source, places in steps:
        before = {replica: place_of(replica) for replica in pool.replicas}
        for replica in before:
            replica.outstanding = data.draw(st.integers(0, 1))
        pool.follow(source, upstreams(*places))
        wanted[source] = places
        for each, sought in wanted.items():
            there = [place_of(replica) for replica in pool.replicas if replica.source == each]
            assert sorted(there) == sorted(sought)
        stayed = Counter(place for replica, place in before.items() if replica in pool.replicas)
        once = Counter(place for replica, place in before.items() if replica.source == source)
        assert stayed >= Counter(places) & once
        running = [replica.name for replica in before if replica.is_removed and replica.outstanding]
        assert len({*names(pool), *running}) == len(pool.replicas) + len(running)


def place_of(replica: Replica) -> str:
    """Return where a replica is, as `route/host`."""
    return f"{replica.route}/{replica.url.removeprefix('http://')}"
