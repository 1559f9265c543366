"""Both sides encrypted: callers come by https, and so are replicas asked."""

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lanes
from tests.gateway import Gateway, gateway
from tests.state.redis_rig import program
from tests.waiting import PATIENCE_S
from tests.wire.sims import fast, fleet
from vllm_gateway import codec
from vllm_gateway.serve.listening import CannotListen, check_certificate
from vllm_gateway.upstream import replica

pytestmark = [pytest.mark.servers, pytest.mark.both_lanes]

MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a certificate for `localhost`, which this process trusts while the test runs."""
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-x509"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    for name in ("own", "other"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        command = [program("openssl"), "req", *made, *named, *files]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    replica._tls.cache_clear()
    yield tmp_path
    replica._tls.cache_clear()


async def ask(door: Gateway, folder: Path, bodies: list[bytes], *, more: bytes = b"") -> bytes:
    """Send the requests one behind the other on one encrypted connection; return all that comes back."""
    trusting = ssl.create_default_context(cafile=folder / "own.pem")
    reader, writer = await asyncio.open_connection("localhost", door.port, ssl=trusting)
    for number, body in enumerate(bodies, 1):
        last = b"connection: close\r\n" if number == len(bodies) else b""
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n%b%bcontent-length: %d\r\n\r\n%b"
            % (more, last, len(body), body)
        )
    told = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
    writer.close()
    return told


async def test_both_sides_are_encrypted(folder: Path) -> None:
    """Answers in one piece and streams pass two gateways, the one the replica of the other, and TLS on every way."""
    edge = {"tls_certificate": str(folder / "own.pem"), "tls_key": str(folder / "own.key"), **lanes.settings_now()}
    asked = {"model": "sim-small", "messages": MESSAGES, "max_tokens": 3}
    bodies = [codec.dumps({**asked, "stream": is_stream}) for is_stream in (False, False, True)]
    async with (
        fleet(fast()) as ((sim,), _),
        gateway(sim.url, edge=edge) as inner,
        gateway(f"https://localhost:{inner.port}/v1", edge=edge) as outer,
    ):
        told = await ask(outer, folder, bodies)
        assert told.count(b"HTTP/1.1 200 OK") == 3
        assert told.count(b"data: [DONE]") == 1
        refused = await ask(outer, folder, [b"{"])
        assert refused.startswith(b"HTTP/1.1 400")
        assert b"connection: close" in refused


async def test_who_comes_without_it_is_not_answered(folder: Path) -> None:
    """A request in the clear gets no answer, and disturbs nobody."""
    edge = {"tls_certificate": str(folder / "own.pem"), "tls_key": str(folder / "own.key"), **lanes.settings_now()}
    async with fleet(fast()) as ((sim,), _), gateway(sim.url, edge=edge) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"HTTP/1.1" not in await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        writer.close()
        asked = codec.dumps({"model": "sim-small", "messages": MESSAGES, "max_tokens": 3})
        assert (await ask(door, folder, [asked])).startswith(b"HTTP/1.1 200 OK")


def test_a_key_that_does_not_fit_keeps_it_from_starting(folder: Path) -> None:
    """So does a file that is not there; the sentence names both files."""
    for key in ("other.key", "none.key", "own.pem"):
        with pytest.raises(CannotListen, match="belong together"):
            check_certificate(str(folder / "own.pem"), str(folder / key))
    check_certificate(str(folder / "own.pem"), str(folder / "own.key"))
