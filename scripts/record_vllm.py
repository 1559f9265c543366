"""Record how a real vLLM answers, byte for byte, into `tests/recordings/vllm-<version>/`, one file per call.

The embedded engine is checked against these files. Each holds the request as it was sent and the response as it came:
status, headers, and the body; for a chunked response `events` has one entry per chunk, in the order of writing.

    scripts/real_vllm_env.sh && .venv/bin/python -m scripts.record_vllm
"""

import argparse
import base64
import shutil
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httptools

from scripts.record_vllm_calls import Call, calls
from tests.real_vllm.fleet import REPOSITORY, fleet
from vllm_gateway import codec

REPLY_TIMEOUT_S = 60.0
UNSTABLE_HEADERS = {"date"}
"""Headers that differ at every call and say nothing about vLLM."""


@dataclass
class Reply:
    """A response, filled in by the parser while it reads."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    chunks: list[bytes] = field(default_factory=list)
    is_complete: bool = False
    _chunk_start: int = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header, its name in lower case."""
        self.headers.append((name.decode().lower(), value.decode()))

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        self.body += data

    def on_chunk_complete(self) -> None:
        """Close one chunk; the last one of a response is empty and is not kept."""
        chunk = bytes(self.body[self._chunk_start :])
        self._chunk_start = len(self.body)
        if chunk:
            self.chunks.append(chunk)

    def on_message_complete(self) -> None:
        """Mark the end of the response."""
        self.is_complete = True


def request_bytes(call: Call, host: str) -> bytes:
    """Return the call as it goes over the wire; the connection is closed after it."""
    headers = {"host": host, **call.headers, "connection": "close"}
    if call.body is not None:
        headers["content-length"] = str(len(call.body.encode()))
    lines = [f"{call.method} {call.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + (call.body or "").encode()


def exchange(call: Call, url: str) -> tuple[int, Reply]:
    """Send one call and return its status and its reply."""
    address = urlsplit(url)
    reply = Reply()
    parser = httptools.HttpResponseParser(reply)
    with socket.create_connection((address.hostname, address.port), timeout=REPLY_TIMEOUT_S) as connection:
        connection.sendall(request_bytes(call, address.netloc))
        while not reply.is_complete and (data := connection.recv(65536)):
            parser.feed_data(data)
    return parser.get_status_code(), reply


def text_or_base64(body: bytes) -> dict[str, str]:
    """Return the body as text where it is text."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def recording(call: Call, status: int, reply: Reply) -> dict[str, object]:
    """Return what is written for one call."""
    content = (
        {"events": [chunk.decode() for chunk in reply.chunks]} if reply.chunks else text_or_base64(bytes(reply.body))
    )
    headers = {name: value for name, value in reply.headers if name not in UNSTABLE_HEADERS}
    return {
        "name": call.name,
        "replica": call.replica,
        "request": {"method": call.method, "path": call.path, "headers": call.headers, "body": call.body},
        "response": {"status": status, "headers": headers, **content},
    }


def served_version(url: str) -> str:
    """Return the version that the server says it has."""
    _, reply = exchange(Call("version", "GET", "/version"), url)
    return str(codec.loads(reply.body)["version"]).partition("+")[0]


def record(urls: dict[str, str], out: Path) -> None:
    """Record every call afresh, so that a call that is gone leaves no file."""
    folder = out / f"vllm-{served_version(urls['generate'])}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for call in calls():
        status, reply = exchange(call, urls[call.replica])
        (folder / f"{call.name}.json").write_bytes(codec.dumps_pretty(recording(call, status, reply)))
        print(status, call.name, f"{len(reply.body)} bytes", f"{len(reply.chunks)} chunks")


def main() -> None:
    """Record from servers that were just started, so that their metrics are about these calls only."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "tests" / "recordings", help="folder of the recordings"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as logs, fleet(Path(logs)) as running:
        record({"generate": running.first.url, "embed": running.embeds.url}, asked.out)


if __name__ == "__main__":
    main()
