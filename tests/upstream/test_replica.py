"""One replica: its connections, its requests, and what is held of it."""

import pytest

from tests.scripted import Visit, scripted
from vllm_gateway.clock import HandClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.health import Ejecting, Sign
from vllm_gateway.upstream.replica import IDLE_S, MAX_IDLE, Replica, is_sendable


async def quiet(visit: Visit) -> None:
    """Say nothing, and stay."""
    await visit.until_closed()


def a_replica(port: int, clock: HandClock | None = None, **settings: object) -> Replica:
    """Return a replica on this machine."""
    upstream = Upstream.model_validate({"url": f"http://127.0.0.1:{port}/v1", **settings})
    return Replica("r", upstream, clock=clock or HandClock(), connect_s=2)


async def test_a_free_connection_is_used_again() -> None:
    """What was given back is given out again, the youngest first."""
    async with scripted(quiet) as server:
        replica = a_replica(server.port)
        one, two = await replica.checkout(), await replica.checkout()
        replica.give_back(one)
        replica.give_back(two)
        assert await replica.checkout() is two
        assert await replica.checkout() is one


async def test_an_old_connection_is_not_used() -> None:
    """VLLM closes after 5 seconds; a connection that is nearly as old is closed here first."""
    clock = HandClock()
    async with scripted(quiet) as server:
        replica = a_replica(server.port, clock)
        old = await replica.checkout()
        replica.give_back(old)
        clock.move(IDLE_S + 0.01)
        assert await replica.checkout() is not old
        assert not old.is_open


async def test_a_connection_in_use_is_closed_and_not_kept() -> None:
    """A connection whose answer has not ended cannot serve anybody else."""

    class Deaf:
        def head(self, *_: object) -> None: ...
        def body(self, *_: object) -> None: ...
        def done(self) -> None: ...
        def failed(self, *_: object) -> None: ...

    async with scripted(quiet) as server:
        replica = a_replica(server.port)
        busy = await replica.checkout()
        busy.send(b"GET / HTTP/1.1\r\n\r\n", Deaf())
        replica.give_back(busy)
        assert not busy.is_open
        assert await replica.checkout() is not busy


async def test_not_more_than_some_connections_are_kept() -> None:
    """A burst of callers does not leave its connections open for ever."""
    async with scripted(quiet) as server:
        replica = a_replica(server.port)
        out = [await replica.checkout() for _ in range(MAX_IDLE + 3)]
        for connection in out:
            replica.give_back(connection)
        assert sum(connection.is_open for connection in out) == MAX_IDLE
        replica.close_idle()
        assert not any(connection.is_open for connection in out)


async def test_idle_connections_are_closed_by_age() -> None:
    """Only those that have rested too long are closed."""
    clock = HandClock()
    async with scripted(quiet) as server:
        replica = a_replica(server.port, clock)
        old, young = await replica.checkout(), await replica.checkout()
        replica.give_back(old)
        clock.move(3)
        replica.give_back(young)
        clock.move(2)
        replica.close_idle(older_than_s=IDLE_S)
        assert (old.is_open, young.is_open) == (False, True)


def test_a_request_has_one_head_and_the_replicas_own_key() -> None:
    """Host, key and length are the gateway's; the path keeps what stands before `/v1` in the address."""
    upstream = Upstream.model_validate({"url": "http://gpu.internal:8000/team/v1", "api_key": "sk-replica"})
    replica = Replica("r", upstream, clock=HandClock(), connect_s=2)
    request = replica.request(b"POST", "/v1/chat/completions", b"X-Request-Id: 1\r\n", b"{}")
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /team/v1/chat/completions HTTP/1.1"
    assert lines.count(b"Host: gpu.internal:8000") == 1
    assert lines.count(b"Authorization: Bearer sk-replica") == 1
    assert lines.count(b"Content-Length: 2") == 1
    assert body == b"{}"


def test_a_callers_key_takes_the_place_of_the_gateways() -> None:
    """A request never carries both; the next one without a caller's key carries the gateway's again."""
    replica = a_replica(1, api_key="sk-replica")
    request = replica.request(b"POST", "/v1/chat/completions", body=b"{}", callers_key=b"sk-theirs")
    assert request.count(b"Authorization: ") == 1
    assert b"\r\nAuthorization: Bearer sk-theirs\r\n" in request
    assert b"sk-replica" in replica.request(b"GET", "/health")
    assert b"Authorization: Bearer sk-theirs\r\n" in a_replica(1).request(b"GET", "/", callers_key=b"sk-theirs")


@pytest.mark.parametrize("key", [b"a b", b"a\r\nX: 1", b"a\n", b"\xe4", b"\x00", b"\t", b"k" * 4097])
def test_a_key_that_no_header_can_hold_is_never_sent(key: bytes) -> None:
    """It could end the line, and begin another one."""
    assert not is_sendable(key)
    with pytest.raises(ValueError, match="visible ASCII"):
        a_replica(1).request(b"GET", "/", callers_key=key)


def test_a_replica_that_goes_out_forgets_what_was_true_of_it() -> None:
    """It may come back as another program."""
    replica = a_replica(1)
    replica.see(Sign.PROBE_ANSWERED)
    replica.lacks.add("/v1/embeddings")
    replica.fingerprints["m"] = "vllm-0.33.0"
    replica.version = "0.33.0"
    replica.see(Sign.UNREACHABLE)
    assert not replica.is_usable
    assert (replica.lacks, replica.fingerprints, replica.version) == (set(), {}, "")


def test_one_request_tries_a_replica_that_was_out() -> None:
    """While it is under way nobody else is sent there; it decides, or makes room for another one."""
    clock = HandClock()
    replica = a_replica(1, clock)
    replica.see(Sign.PROBE_ANSWERED)
    assert not replica.asked()
    for _ in range(3):
        replica.see(Sign.FAILED)
    clock.move(replica.health.ejected_s)
    replica.see(Sign.PROBE_ANSWERED)
    assert (replica.is_usable, replica.returns) == (True, 2)
    assert (replica.asked(), replica.is_usable, replica.asked()) == (True, False, False)
    replica.unasked()
    assert (replica.asked(), replica.returns) == (True, 2)
    replica.see(Sign.ANSWERED)
    replica.unasked()
    assert (replica.is_usable, replica.health.failures) == (True, 0)


def test_how_long_it_stays_out_is_as_the_settings_say() -> None:
    """It counts from the moment when it failed."""
    clock = HandClock(5)
    replica = a_replica(1, clock)
    replica.ejecting = Ejecting(7, 70)
    replica.see(Sign.PROBE_ANSWERED)
    replica.see(Sign.STALLED)
    assert replica.health.until == 12


def test_a_replica_is_full_at_its_limit_or_by_its_own_word() -> None:
    """What its waiting line said holds until the next look, and never shuts it altogether."""
    replica = Replica("a", Upstream(url="http://h", max_concurrent=8), clock=HandClock(), connect_s=1)
    replica.see(Sign.PROBE_ANSWERED)
    replica.outstanding = 7
    assert replica.has_room
    replica.learn_room(3, most_waiting=1)
    assert (replica.learned_outstanding, replica.has_room) == (5, False)
    replica.learn_room(50, most_waiting=1)
    assert replica.learned_outstanding == 1
    replica.learn_room(0, most_waiting=1)
    assert replica.has_room
    replica.outstanding = 8
    assert not replica.has_room
