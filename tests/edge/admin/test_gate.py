"""Who gets at the admin routes at all."""

from pathlib import Path

import pytest

from tests.edge.admin.desk import ADMIN_KEY, desk
from tests.gateway import raw

PATHS = ["/admin/keys", "/admin/requests", "/admin/replicas", "/admin", "/", "/docs", "/openapi.json", "/v1/models"]
BODY = b'{"name":"x"}'


def asking(*lines: str, method: str = "GET", path: str = "/admin/keys", body: bytes = b"") -> bytes:
    """Return the bytes of a request that has these headers and no others, but for what ends it."""
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", f"Content-Length: {len(body)}"])
    return head.encode("latin-1") + b"\r\n\r\n" + body


HOST, KEY, JSON = "Host: 127.0.0.1:8081", f"Authorization: Bearer {ADMIN_KEY}", "Content-Type: application/json"


def status(answer: bytes) -> int:
    """Return the status of an answer."""
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD"])
async def test_without_the_key_all_paths_look_alike(path: str, method: str, tmp_path: Path) -> None:
    """S-14: known or not, 401 and the same words; what is there is told only to who has the key."""
    async with desk(tmp_path) as one:
        answer = await raw(one.port, asking(HOST, JSON, method=method, path=path, body=BODY))
        assert status(answer) == 401
        assert b"www-authenticate: Bearer" in answer
        if method != "HEAD":
            assert b'"code":"invalid_api_key"' in answer


async def test_an_unknown_path_is_404_for_who_has_the_key(tmp_path: Path) -> None:
    """In OpenAI's shape; so is a wrong method."""
    named = {"x-request-id": "my-own-request"}
    async with desk(tmp_path) as one:
        for path in ("/admin", "/docs", "/openapi.json", "/v1/models", "/admin/keys/"):
            reply = await one.http.get(path)
            assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")
        assert (await one.http.put("/admin/keys", json={})).status_code == 405
        assert (await one.http.get("/admin/keys", headers=named)).headers["x-request-id"] == "my-own-request"


@pytest.mark.parametrize("line", [KEY, f"X-API-Key: {ADMIN_KEY}", f"authorization:   bearer   {ADMIN_KEY} "])
async def test_the_key_is_taken_from_either_header(line: str, tmp_path: Path) -> None:
    """As clients of the gateway send theirs."""
    async with desk(tmp_path) as one:
        assert status(await raw(one.port, asking(HOST, line))) == 200


@pytest.mark.parametrize(
    "lines",
    [
        [f"Authorization: Basic {ADMIN_KEY}"],
        [f"Authorization: Bearer {ADMIN_KEY}x"],
        [f"Authorization: Bearer {ADMIN_KEY[:-1]}"],
        [f"Authorization: Bearer {ADMIN_KEY.upper()}"],
        ["Authorization: Bearer "],
        [f"Authorization: Bearer {'k' * 5000}"],
        [KEY, KEY],
        [f"Cookie: key={ADMIN_KEY}"],
        [],
    ],
    ids=range(9),
)
async def test_nothing_else_is_the_key(lines: list[str], tmp_path: Path) -> None:
    """S-05: neither a part of it, nor the key in another place, nor the key twice."""
    async with desk(tmp_path) as one:
        assert status(await raw(one.port, asking(HOST, *lines))) == 401
        assert status(await raw(one.port, asking(HOST, path=f"/admin/keys?key={ADMIN_KEY}"))) == 401


async def test_wrong_keys_are_throttled_and_the_right_one_is_not(tmp_path: Path) -> None:
    """S-10: who guesses is told to wait; who has the key need not."""
    async with desk(tmp_path) as one:
        wrong = {"authorization": "Bearer wrong-0123456789"}
        statuses = [(await one.http.get("/admin/keys", headers=wrong)).status_code for _ in range(21)]
        assert statuses == [401] * 20 + [429]
        refused = await one.http.get("/admin/keys", headers=wrong)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        assert (await one.http.get("/admin/keys")).status_code == 200
        assert status(await raw(one.port, asking(HOST))) == 401


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8081", "127.9.9.9:1", "localhost", "LOCALHOST:9", "[::1]", "[::1]:8081"],
)
async def test_this_machine_has_several_names(host: str, tmp_path: Path) -> None:
    """With any port: a tunnel may lead here."""
    async with desk(tmp_path) as one:
        assert status(await raw(one.port, asking(f"Host: {host}", KEY))) == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example:8081",
        "localhost.example",
        "127.0.0.1.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "localhost:",
        "localhost:x",
        "2130706433",
        "127.1",
        "[127.0.0.1",
        "a@localhost",
        "::1",
        "",
    ],
)
async def test_another_name_is_refused(host: str, tmp_path: Path) -> None:
    """S-01: a web page whose name was made to mean this machine gets nothing, not even with the key."""
    async with desk(tmp_path) as one:
        assert status(await raw(one.port, asking(f"Host: {host}", KEY))) == 400


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Type: text/plain"],
        ["Content-Type: application/x-www-form-urlencoded"],
        ["Content-Type: multipart/form-data; boundary=x"],
        [],
        ["Content-Type: "],
        ["Content-Type: text/plain; application/json"],
        [JSON, "Content-Encoding: gzip"],
    ],
    ids=range(7),
)
async def test_a_body_must_be_announced_as_json(lines: list[str], tmp_path: Path) -> None:
    """Other kinds a web page could send without being asked by the browser whether it may."""
    async with desk(tmp_path) as one:
        answer = await raw(one.port, asking(HOST, KEY, *lines, method="POST", body=BODY))
        assert status(answer) == 415
        assert (await one.http.get("/admin/keys")).json()["data"] == []


async def test_web_pages_are_given_no_leave(tmp_path: Path) -> None:
    """No answer has a header of CORS."""
    async with desk(tmp_path) as one:
        lines = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"]
        for request in (asking(HOST, KEY, *lines), asking(HOST, *lines, method="OPTIONS")):
            assert b"access-control" not in (await raw(one.port, request)).lower()


async def test_the_key_is_asked_for_before_the_body_is_read(tmp_path: Path) -> None:
    """Who has none need not send it, and cannot make the gateway hold it."""
    async with desk(tmp_path) as one:
        head = f"POST /admin/keys HTTP/1.1\r\n{HOST}\r\n{JSON}\r\nContent-Length: 1000000\r\n\r\n"
        assert status(await raw(one.port, head.encode(), until_closed=False)) == 401


async def test_a_body_has_its_bounds(tmp_path: Path) -> None:
    """No key is described in so many bytes, nor so slowly, nor in what is no JSON."""
    async with desk(tmp_path, body_s=0.2) as one:
        large = await one.http.post("/admin/keys", json={"name": "x" * 70_000})
        assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")
        broken = await one.http.post("/admin/keys", content=b"{", headers={"content-type": "application/json"})
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_json")
        head = f"POST /admin/keys HTTP/1.1\r\n{HOST}\r\n{KEY}\r\n{JSON}\r\nContent-Length: 100\r\n\r\n{{"
        assert status(await raw(one.port, head.encode())) == 408
