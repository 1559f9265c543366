"""What a real vLLM answered, as it was recorded."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vllm_gateway import codec

FOLDER = Path(__file__).parent / "recordings" / "vllm-0.32.0"


@dataclass(frozen=True, slots=True)
class Recording:
    """One call and its answer."""

    name: str
    path: str
    request: bytes
    status: int
    body: bytes
    events: tuple[bytes, ...]
    """The events of a streamed answer, as they were written one by one; empty for an answer in one piece."""


@cache
def recordings() -> tuple[Recording, ...]:
    """Return all recordings, by name."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.json")))


def recording(name: str) -> Recording:
    """Return one recording."""
    return _read(FOLDER / f"{name}.json")


def _read(path: Path) -> Recording:
    value = codec.loads(path.read_bytes())
    request, response = value["request"], value["response"]
    events = tuple(event.encode() for event in response.get("events", ()))
    return Recording(
        name=value["name"],
        path=request["path"],
        request=(request["body"] or "").encode(),
        status=response["status"],
        body=b"".join(events) or response["body"].encode(),
        events=events,
    )
