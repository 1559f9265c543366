"""Server-sent events: from bytes as they come to what they say. No sockets here."""


class Events:
    """Collects bytes and gives the data of every event that is whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, more: bytes) -> list[bytes]:
        """Return the data of the events that `more` completes; comments and empty events give nothing."""
        *whole, self._rest = (self._rest + more).replace(b"\r\n", b"\n").split(b"\n\n")
        return [data for event in whole if (data := _data(event)) is not None]


def _data(event: bytes) -> bytes | None:
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
