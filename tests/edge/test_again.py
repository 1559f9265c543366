"""Heads that come again: what passes the parser by, and that nobody can tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.edge.kept_open import kept_open
from tests.edge.test_express import BODY, HEAD, keeping, post, well
from tests.gateway import gateway, settings_of
from tests.scripted import as_replica, scripted
from tests.waiting import until
from vllm_gateway.edge.again import MOST_BYTES, MOST_TRIES, KnownHead, known_head
from vllm_gateway.edge.connection import BoundedProtocol
from vllm_gateway.exchange import Head
from vllm_gateway.settings.admission import Auth

KEY = "the-key-of-the-test"
AUTHORIZED = b"authorization: Bearer %s\r\n" % KEY.encode()
LENGTH = (b"content-length", b"%d" % len(BODY))
KEYS = Auth.model_validate({"mode": "keys", "client_keys": [KEY]})
OTHER_KEYS = Auth.model_validate({"mode": "keys", "client_keys": ["another-key-of-the-test"]})


def known(*lines: bytes, max_bytes: int = 65_536) -> KnownHead | None:
    """Return what is kept of the head of a request with these lines."""
    headers = [(b"host", b"x"), *(_pair(line) for line in lines), LENGTH]
    return known_head(post(*lines), b"/v1/chat/completions", Head(headers), max_bytes=max_bytes)


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.strip().partition(b": ")
    return name.lower(), value


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the targets of all heads that the parser reads while the test runs."""
    targets: list[bytes] = []
    complete = BoundedProtocol.on_headers_complete

    def counted(connection: BoundedProtocol) -> None:
        targets.append(connection.url)
        complete(connection)

    monkeypatch.setattr(BoundedProtocol, "on_headers_complete", counted)
    return targets


def test_the_same_head_is_known_with_bodies_of_any_length() -> None:
    """Only the length differs; all headers but that one are there."""
    head = known(b"accept: */*\r\n")
    assert head is not None
    assert head.head.headers == [(b"host", b"x"), (b"accept", b"*/*")]
    for body in (b"", b"{}", BODY * 3, b" " * 100_000):
        request = post(b"accept: */*\r\n", body=body)
        assert request[head.body_at(request) :] == body


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(b"accept: a\r\n"),
        post()[:-1],
        post() + b"P",
        post() * 2,
        post(body=b""),
        post().replace(b"content-length: 34", b"content-length: +34"),
        post().replace(b"content-length: 34", b"content-length: 034"),
        post().replace(b"content-length: 34", b"content-length:  34"),
        post().replace(b"content-length: 34", b"content-length: 34 "),
        post().replace(b"content-length: 34", b"content-length: 0x22"),
        post().replace(b"content-length: 34", b"content-length: 3_4"),
        post().replace(b"content-length: 34", b"content-length: 34, 34"),
        post().replace(b"content-length: 34", b"content-length: "),
        post().replace(b"content-length: 34", b"content-length: 34\r\ncontent-length: 34"),
        post().replace(b"content-length: 34", b"content-length: 34\r\ntransfer-encoding: chunked"),
        post().replace(b"content-length: 34\r\n", b"content-length: 34\n"),
        HEAD,
        b"",
    ],
)
def test_what_differs_in_a_byte_is_the_parsers(request_bytes: bytes) -> None:
    """Whatever else is wrong or right with it, another head, or another way to tell its length, is not known."""
    head = known(b"accept: */*\r\n")
    plain, empty = known(), post(body=b"")
    assert head is not None
    assert plain is not None
    assert head.body_at(request_bytes) == 0
    assert request_bytes != post()
    assert plain.body_at(request_bytes) == (len(empty) if request_bytes == empty else 0)


@given(st.binary(max_size=60), st.binary(max_size=12), st.binary(max_size=60))
def test_only_the_announced_length_makes_it_known(before: bytes, digits: bytes, body: bytes) -> None:
    """Whatever stands where the length should, and whatever follows: taken is what says just how long it is."""
    head = known()
    assert head is not None
    request = post(body=b"")[:-5] + digits + b"\r\n\r\n" + body
    is_so = digits == b"%d" % len(body)
    assert head.body_at(request) == (len(request) - len(body) if is_so else 0)
    assert head.body_at(before + request) == (head.body_at(request) if not before else 0)


@pytest.mark.parametrize("line", [b"transfer-encoding: chunked\r\n", b"expect: 100-continue\r\n"])
def test_no_other_framing_is_kept(line: bytes) -> None:
    """The length is all that says where such a request ends."""
    assert known(line) is None


def test_long_heads_are_not_kept() -> None:
    """Neither those that would fill the memory, nor those that a longer length would bring over the limit."""
    assert known(b"x: %s\r\n" % (b"y" * (MOST_BYTES - 200))) is not None
    assert known(b"x: %s\r\n" % (b"y" * MOST_BYTES)) is None
    size = post().find(b"\r\n\r\n")
    assert known(max_bytes=size + 30) is not None
    assert known(max_bytes=size + 10) is None


async def test_the_parser_sees_such_a_head_once(parsed: list[bytes]) -> None:
    """All requests are answered, each with its own body, and what stands between them is read as ever."""
    seen: list[bytes] = []
    bodies = [b'{"model":"scripted","messages":[],"seed":%d}' % 10**number for number in range(5)]
    async with scripted(as_replica(keeping(seen))) as replica, gateway(replica.url, edge={"express": True}) as door:
        async with kept_open(door) as line:
            for body in bodies:
                assert (await line.ask(post(body=body))).startswith(b"HTTP/1.1 200")
            assert len(parsed) == 1
            assert (await line.ask(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert (await line.ask(post())).startswith(b"HTTP/1.1 200")
        assert len(parsed) == 2
    assert seen == [*bodies, BODY]


async def test_heads_that_never_come_again_are_not_kept_for_ever(
    parsed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names every request in its head gains nothing by that; one that came again was worth it."""
    kept: list[bytes] = []

    def keep(data: bytes, url: bytes, head: Head, *, max_bytes: int) -> KnownHead | None:
        kept.append(url)
        return known_head(data, url, head, max_bytes=max_bytes)

    monkeypatch.setattr("vllm_gateway.edge.connection.known_head", keep)
    express = {"express": True}
    async with scripted(well()) as replica, gateway(replica.url, edge=express) as door, kept_open(door) as line:
        for number in range(2 * MOST_TRIES):
            await line.ask(post(b"x-request-id: request-%d\r\n" % number))
        assert (len(parsed), len(kept)) == (2 * MOST_TRIES, MOST_TRIES)
        await line.ask(post(b"x-request-id: request-%d\r\n" % (MOST_TRIES - 1)))
        assert len(parsed) == 2 * MOST_TRIES
        for _ in range(2):
            assert (await line.ask(post())).startswith(b"HTTP/1.1 200")
        assert (len(parsed), len(kept)) == (2 * MOST_TRIES + 1, MOST_TRIES + 1)


@pytest.mark.both_lanes
@pytest.mark.parametrize("cut", [1, 60, len(HEAD) + 17, len(HEAD) + 19, len(post()) - len(BODY), len(post()) - 1])
async def test_a_known_head_may_come_in_pieces(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """What is not there at once is put together as if it had not been seen before, and what follows is known again."""
    seen: list[bytes] = []
    read = BoundedProtocol.data_received

    def read_in_pieces(connection: BoundedProtocol, data: bytes) -> None:
        read(connection, data[:cut])
        read(connection, data[cut:])

    async with scripted(as_replica(keeping(seen))) as replica, gateway(replica.url) as door, kept_open(door) as line:
        await line.ask(post())
        with monkeypatch.context() as patched:
            patched.setattr(BoundedProtocol, "data_received", read_in_pieces)
            assert (await line.ask(post())).startswith(b"HTTP/1.1 200")
        assert (await line.ask(post())).startswith(b"HTTP/1.1 200")
    assert seen == [BODY] * 3


@pytest.mark.both_lanes
async def test_a_key_that_is_taken_away_is_refused_on_the_same_connection() -> None:
    """However often it was right: what is known of a head is never that its key is."""
    async with scripted(well()) as replica:
        found = [settings_of(replica.url, auth=KEYS)]
        async with gateway(replica.url, auth=KEYS, read=lambda: found[-1]) as door, kept_open(door) as line:
            for _ in range(3):
                assert (await line.ask(post(AUTHORIZED))).startswith(b"HTTP/1.1 200")
            found.append(settings_of(replica.url, auth=OTHER_KEYS))
            await door.parts.reloading.reload()
            assert (await line.ask(post(AUTHORIZED))).startswith(b"HTTP/1.1 401")


async def test_the_settings_of_now_say_where_a_known_head_goes(parsed: list[bytes]) -> None:
    """A reload holds for open connections too: a body that was small enough is too large, a browser is told more."""
    origin, edge = b"origin: http://page.example\r\n", {"express": True}
    async with scripted(well()) as replica:
        found = [settings_of(replica.url, edge=edge)]
        async with gateway(replica.url, edge=edge, read=lambda: found[-1]) as door, kept_open(door) as line:
            for _ in range(2):
                assert b"access-control-allow-origin" not in await line.ask(post(origin))
            assert len(parsed) == 1
            found.append(settings_of(replica.url, edge=edge, cors_origins=("http://page.example",)))
            await door.parts.reloading.reload()
            assert b"access-control-allow-origin: http://page.example" in await line.ask(post(origin))
            found.append(settings_of(replica.url, edge=edge, limits={"max_body_bytes": 1024}))
            await door.parts.reloading.reload()
            assert (await line.ask(post(origin))).startswith(b"HTTP/1.1 200")
            assert (await line.ask(post(origin, body=b" " * 1025))).startswith(b"HTTP/1.1 413")


@pytest.mark.both_lanes
async def test_the_last_answer_of_a_drain_says_so_to_a_known_head() -> None:
    """A connection that is to go closes behind its next answer, whoever reads the request."""
    async with scripted(well()) as replica, gateway(replica.url, drain_delay_s=30) as door, kept_open(door) as line:
        for _ in range(2):
            assert b"connection: close" not in await line.ask(post())
        door.stop()
        await until(lambda: door.parts.pipeline.is_draining)
        answer = await line.ask(post())
        assert b"connection: close" in answer
        assert await line.reader.read() == b""
        door.stop()
