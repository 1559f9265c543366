"""What the sim has seen: every connection and request, for tests to look at and for `GET /sim/log`."""

from collections import deque
from dataclasses import dataclass, field

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True, eq=False)
class ConnectionSeen:
    """One connection; times are seconds of the sim's clock, None for not yet."""

    number: int
    opened_at: float
    closed_at: float | None = None
    closed_by: str | None = None
    """`caller`, `sim` (idle or after `connection: close`) or `fault`."""
    requests: int = 0


@dataclass(slots=True, eq=False)
class RequestSeen:
    """One request as it arrived, and what became of it."""

    number: int
    connection: ConnectionSeen
    method: str
    target: str
    headers: Headers
    head_at: float
    body: bytes = b""
    body_at: float | None = None
    status: int | None = None
    first_byte_at: float | None = None
    first_token_at: float | None = None
    last_token_at: float | None = None
    tokens: int = 0
    """Tokens made for this request, over all its choices."""
    gone_at: float | None = None
    """When the caller's socket was seen closed before the answer was complete."""
    ended_at: float | None = None
    fault: str | None = None
    fault_at: float | None = None
    """When that happened."""

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), None)


@dataclass(slots=True)
class Journal:
    """The last requests and connections, and what is open now."""

    size: int = 10_000
    most_body_bytes: int = 64 << 20
    requests: deque[RequestSeen] = field(default_factory=deque)
    connections: deque[ConnectionSeen] = field(default_factory=deque)
    requests_total: int = 0
    connections_total: int = 0
    open_connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    _body_bytes: int = 0

    def connection_opened(self, now: float) -> ConnectionSeen:
        """Note a new connection."""
        self.connections_total += 1
        self.open_connections += 1
        seen = ConnectionSeen(self.connections_total, now)
        self.connections.append(seen)
        if len(self.connections) > self.size:
            self.connections.popleft()
        return seen

    def connection_closed(self, seen: ConnectionSeen, now: float, by: str) -> None:
        """Note who closed a connection."""
        self.open_connections -= 1
        seen.closed_at = now
        seen.closed_by = seen.closed_by or by

    def request_began(
        self, connection: ConnectionSeen, method: str, target: str, headers: Headers, now: float
    ) -> RequestSeen:
        """Note a request whose headers are complete."""
        self.requests_total += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        connection.requests += 1
        seen = RequestSeen(self.requests_total, connection, method, target, headers, now)
        self.requests.append(seen)
        if len(self.requests) > self.size:
            self._forget_oldest()
        return seen

    def body_came(self, seen: RequestSeen, body: bytes, now: float) -> None:
        """Note the body of a request; the oldest requests are forgotten when all bodies together are too much."""
        seen.body = body
        seen.body_at = now
        if not self.requests or self.requests[0].number > seen.number:
            return
        self._body_bytes += len(body)
        while self._body_bytes > self.most_body_bytes and self.requests[0] is not seen:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        self._body_bytes -= len(self.requests.popleft().body)

    def request_ended(self, seen: RequestSeen, now: float, *, is_gone: bool) -> None:
        """Note that nothing more is sent for a request, because all was or because the caller left."""
        if seen.ended_at is None:
            self.in_flight -= 1
            seen.ended_at = now
            seen.gone_at = now if is_gone else None

    def clear(self) -> None:
        """Forget what has ended and start the maximum anew."""
        self.requests.clear()
        self._body_bytes = 0
        self.connections.clear()
        self.most_in_flight = self.in_flight
