"""Heads that say two things, or what no head may say."""

import asyncio

import pytest

from tests.gateway import raw
from tests.waiting import PATIENCE_S, until
from tests.wire.hostile import BODY, CHAT, differing, is_well, post, statuses
from tests.wire.sims import fast, fleet

pytestmark = pytest.mark.both_lanes

HOSTS = (
    b"localhost/v1/models?", b"a#@b", b"x/../", b"", b"x" * 1024, b"a b", b"user@host", b"http://x", b"x:port",
    b"x:123456", b"x:-1", b"[::1", b"[::::1]", b"[1:2]", b"[gggg::1]", b"[::1]x", b"::1", b"[]", b"x\xff", b"x,y",
    b"x%00",
)  # fmt: skip
GOOD_HOSTS = (b"x", b"X.example.", b"my_service:8080", b"127.0.0.1", b"[::1]:8080", b"[::ffff:1.2.3.4]", b"x:0")


async def test_a_host_that_is_none_is_refused_on_every_route() -> None:
    """S-01: a missing, doubled or malformed `Host` gets 400 and the end of the connection, whatever is asked for."""
    async with fleet() as ((sim,), door):
        requests = {f"{host!r}": post(host=b"host: " + host) for host in HOSTS}
        requests["missing"] = post(host=b"")
        requests["doubled"] = post(b"Host: x")
        for route in (b"/health", b"/v1/models", b"/nothing", b"/v1/sessions"):
            requests[f"{route!r}"] = b"GET %s HTTP/1.1\r\nhost: x/v1/models?\r\n\r\n" % route
        assert await differing(door, requests, 400) == {}
        assert await is_well(door, sim)


@pytest.mark.parametrize("has_key", [True, False])
async def test_the_host_decides_nothing(*, has_key: bool) -> None:
    """S-01: the same status for every host name that is one, with and without a key."""
    key = "a-key-of-the-test"
    sent = [b"authorization: Bearer " + key.encode()] if has_key else []
    async with fleet(auth={"mode": "keys", "client_keys": (key,)}) as (_, door):
        for path, status in ((CHAT, 200), (b"/v1/models", 405), (b"/nothing", 404), (b"/v1/sessions", 400)):
            wanted = {200: 401, 400: 401}.get(status, status) if not has_key else status
            requests = {
                f"{path!r} {host!r}": post(b"connection: close", *sent, path=path, host=b"host: " + host)
                for host in GOOD_HOSTS
            }
            assert await differing(door, requests, wanted) == {}


async def test_http_1_0_needs_no_host() -> None:
    """S-01: an old client sends none; one that it does send must be one."""
    async with fleet() as (_, door):
        old = await raw(door.port, b"GET /livez HTTP/1.0\r\n\r\n")
        wrong = await raw(door.port, b"GET /livez HTTP/1.0\r\nhost: a/b\r\n\r\n")
    assert (statuses(old), statuses(wrong)) == ([200], [400])


async def test_nobody_says_where_a_request_comes_from_or_goes_to() -> None:
    """S-02: what proxies add is not believed: the caller is whoever holds the connection, the path is the path."""
    lies = [
        b"X-Forwarded-For: 10.1.1.1", b"X-Real-IP: 10.1.1.2", b"True-Client-IP: 10.1.1.3", b"X-Forwarded-Host: evil",
        b"Forwarded: for=10.1.1.9;host=evil", b"X-Forwarded-Prefix: /admin", b"X-Forwarded-Uri: /v1/models",
        b"X-Original-URL: /v1/models", b"X-Rewrite-URL: /v1/models",
    ]  # fmt: skip
    async with fleet(fast(ttft_ms=100)) as ((sim,), door):
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(raw(door.port, post(*lies, b"connection: close")))
            await until(lambda: bool(door.parts.ledger.live))
            assert [each.address for each in door.parts.ledger.live.values()] == ["127.0.0.1"]
        assert statuses(answering.result()) == [200]
        (seen,) = [each for each in sim.log.requests if each.method == "POST"]
        assert not {name.lower() for name, _ in seen.headers} & {lie.split(b":")[0].lower() for lie in lies}


async def test_broken_headers_are_refused_and_never_forwarded() -> None:
    """B-03: what is no header, or could be read as two, gets 400."""
    lines = (
        b"x: a\rb: c", b"x: a\nb: c", b"x: a\x00b", b"x: a\x01b", b"x: a\x7fb", b"x: a\r\n b", b"x: a\r\n\tb", b" x: a",
        b"x : a", b"x\t: a", b": a", b"x", b"x\xc3\xa9: a", b"x: \xc3\xa9", b"x: \xff", b"x(y): a", b'x"y: a',
    b"x/y: a",
    )  # fmt: skip
    async with fleet() as ((sim,), door):
        requests = {f"{line!r}": post(line) for line in lines}
        requests |= {f"{line!r} last": post(b"x: y", line, b"anthropic-beta: z") for line in lines}
        assert await differing(door, requests, 400) == {}
        assert await is_well(door, sim)


async def test_a_broken_header_of_a_second_request_is_refused_too() -> None:
    """B-03: heads that arrive together, or in pieces, are looked at as those that come alone."""
    second = post(b"anthropic-beta: \xc3\xa9")
    async with fleet() as ((sim,), door):
        together = await raw(door.port, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n" + second)
        assert statuses(together)[-1:] == [400]
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for part in (second[:-120], second[-120:]):
            writer.write(part)
            await asyncio.sleep(0.02)
        assert statuses(await asyncio.wait_for(reader.read(-1), PATIENCE_S)) == [400]
        writer.close()
        assert await is_well(door, sim)


async def test_too_many_or_too_large_headers_are_refused() -> None:
    """B-03: 256 headers and 60 KB pass; one more, or 64 KiB in one, is 431."""
    some = [b"x-%d: y" % number for number in range(260)]
    async with fleet() as ((sim,), door):
        refused = {
            "257": post(*some[:255]),
            "600": post(*some, *some),
            "64 KiB": post(b"x: " + b"y" * 65_536),
            "many small ones": post(*(b"x-%d: %s" % (number, b"y" * 500) for number in range(200))),
            "64 KiB of path": post(path=b"/" + b"y" * 65_536),
        }
        assert await differing(door, refused, 431) == {}
        assert await is_well(door, sim)
        allowed = {
            "256": post(*some[:253], b"connection: close"),
            "60 KB": post(b"x: " + b"y" * 60_000, b"connection: close"),
        }
        assert await differing(door, allowed, 200) == {}


async def test_other_methods_open_nothing() -> None:
    """B-11: neither a method nor a header that names one, nor an offer of another protocol, leads past the route."""
    async with fleet() as ((sim,), door):
        methods = (b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"PATCH", b"DELETE", b"PROPFIND", b"CONNECT", b"QUERY")
        wrong = {
            f"{method!r}": b"%s %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" % (method, CHAT)
            for method in methods
        }
        assert await differing(door, wrong, 405) == {}
        unknown = {
            "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\nhost: x\r\n\r\n",
            "PRI": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "lower case": b"post %s HTTP/1.1\r\nhost: x\r\n\r\n" % CHAT,
            "no method": b"FOO %s HTTP/1.1\r\nhost: x\r\n\r\n" % CHAT,
            "HTTP/2.0": b"GET /livez HTTP/2.0\r\nhost: x\r\n\r\n",
            "HTTP/0.9": b"GET /livez\r\n\r\n",
            "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        }
        assert await differing(door, unknown, 400) == {}
        names = (b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override")
        overridden = {
            f"{name!r}": b"GET %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%s: POST\r\ncontent-length: %d\r\n\r\n%s"
            % (CHAT, name, len(BODY), BODY)
            for name in names
        }
        assert await differing(door, overridden, 405) == {}
        assert await is_well(door, sim)


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
async def test_an_upgrade_needs_a_key_as_everything_else_does(protocol: bytes) -> None:
    """B-11: who offers another protocol is answered in this one, and asked for a key."""
    offer = (b"Connection: Upgrade, close", b"Upgrade: " + protocol, b"Sec-WebSocket-Key: x")
    key = "a-key-of-the-test"
    async with fleet(auth={"mode": "keys", "client_keys": (key,)}) as (_, door):
        without = await raw(door.port, post(*offer))
        allowed = await raw(door.port, post(*offer, b"x-api-key: " + key.encode()))
    assert (statuses(without), statuses(allowed)) == ([401], [200])
