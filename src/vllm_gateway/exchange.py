"""The nouns of one request: what is asked, through which route, how far it got, and where the answer goes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from vllm_gateway.callers import ANONYMOUS, Caller
from vllm_gateway.errors import GatewayError
from vllm_gateway.outcomes import Outcome
from vllm_gateway.trail import Trail

T = TypeVar("T")

Headers = list[tuple[bytes, bytes]]
"""Names in lower case and values, as they stand on the wire."""


@dataclass(slots=True)
class Head:
    """The head of a request, and what was found out about it; what is noted here depends on nothing but the headers.

    Requests of one connection that send the same head share one of these, so that it is found out once.
    """

    headers: Headers = field(repr=False)
    query: bytes = b""
    """What stands behind the path."""
    own_id: str | None = None
    """The id that the caller gives the request; empty: none, or none that is safe; None: nobody has looked."""
    keys: Sequence[tuple[bytes, bytes]] | None = field(default=None, repr=False)
    """The keys in it, each with its digest; None: nobody has looked."""
    is_announced_well: bool = False
    """What it says of the form of the body was looked at, and is right."""
    names: frozenset[bytes] | None = None
    """The names of the headers; None: nobody has looked."""


class CallerGone(Exception):
    """The caller left while something was still expected from it; nobody is there to be told."""


class Usage(NamedTuple):
    """Tokens of one answer, as the replica counted them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """How many of the prompt's tokens came out of the replica's prefix cache."""


class Watch(Protocol):
    """Looks at a streamed answer while it passes; one for each attempt."""

    @property
    def error(self) -> bytes | None:
        """The JSON of an in-band error event; it and all that follows it is held back."""
        ...

    @property
    def has_data(self) -> bool:
        """An event other than a comment has been let through."""
        ...

    @property
    def usage(self) -> Usage | None:
        """What the replica says of the whole answer."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take what was read; return the whole events that may leave now."""
        ...

    def usage_so_far(self) -> Usage | None:
        """Return what the replica said of the usage last, be the answer complete or not."""
        ...

    def is_complete(self) -> bool:
        """Say whether the answer was seen whole: every choice has its finish reason, and no error came."""
        ...

    def ending(self) -> bytes:
        """Return what a complete answer still lacks at its end; mostly nothing."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """What the replica said of its version and configuration."""
        ...

    def mend(self) -> None:
        """Forget the half event and the error that the stream broke off with: it goes on from another replica."""
        ...


@dataclass(frozen=True, slots=True)
class Leg:
    """What another replica is asked, so that a broken stream goes on."""

    path: str
    body: bytes


Ask = Callable[[str, bytes], Awaitable[bytes | None]]
"""Asks the replica that is to go on a short question: the path of a POST, and its JSON. None: it did not say 200."""


class Recovery(Protocol):
    """All that is known of one streamed answer, so that it can go on elsewhere when its replica fails.

    Every byte of the stream goes through `feed`, before a watch looks at it; what comes out has the shape of the first
    replica's stream, whichever replica it came from.
    """

    @property
    def is_over(self) -> bool:
        """The answer is whole, although the replica that it came from may go on talking."""
        ...

    @property
    def events(self) -> int | None:
        """How many events have been told so far, for those who watch; None when they are kept no more."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take what was read; return the whole events that go on.

        Raises:
            ReplicaFailed: the replica sends what is no answer; another one may go on.
            ReplicaTruncated: the answer cannot be put together from what came; nobody can go on.
        """
        ...

    def ending(self) -> bytes:
        """Return what is left to say of an answer that was told to its last word; nothing when that is not so."""
        ...

    async def next_leg(self, ask: Ask, *, is_twin: bool, is_sure: bool = True) -> Leg | None:
        """Return what to ask the replica behind `ask`, whose answer is fed in next; None when it cannot go on.

        `is_twin`: it has the same model, of the same version, as the replica that the stream began on, so that token
        ids mean the same to both. Not `is_sure`: nothing that is known speaks against it, and not all is known.
        """
        ...


class Dialect(Protocol):
    """The shape of errors that a family of clients understands."""

    def status(self, error: GatewayError) -> int:
        """Return the status of an error reply; most families take the error's own."""
        ...

    def fault(self, error: GatewayError, request_id: str) -> bytes:
        """Return the body of an error reply."""
        ...

    def fault_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the SSE event that ends a broken stream."""
        ...

    def is_fault(self, value: object) -> bool:
        """Say whether JSON from a replica is an error in this shape, so that it can pass unchanged."""
        ...

    def usage(self, body: bytes) -> Usage | None:
        """Read the usage out of an answer in one piece."""
        ...

    def reply_headers(self, request_id: str) -> Headers:
        """Return the headers that every reply of this dialect carries."""
        ...


@dataclass(frozen=True, slots=True)
class SessionNow:
    """What a caller is told of its session with every answer."""

    id: str
    turns: int
    expires_in: float | None
    """Seconds until it is dropped when nothing is said; None: never."""
    messages_in_context: int


@dataclass(frozen=True, slots=True)
class Saying:
    """What is said in a session; the gateway adds what was said before."""

    messages: list[dict[str, Any]]
    reply: Callable[[dict[str, Any], SessionNow], bytes]
    """Writes the answer in one piece from the replica's chat completion."""
    session_id: str | None = None
    """The session, when the body names it: such an id is a credential of its own. None: the path names it."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """An answer that the gateway keeps, or that goes on from one it has kept."""

    keeps: bool
    previous: str | None
    """The response that this one goes on from."""
    items: list[Any]
    """What is said in this request."""


@dataclass(slots=True)
class Asked:
    """What the body asks for, as far as the gateway must know it. Only its maker changes it; to freeze it is slow."""

    path: str
    """The route of the replica that answers it."""
    body: bytes
    """What is asked in the replica's terms: on its own routes the caller's bytes."""
    fields: dict[str, Any]
    """`body`, parsed; it is read, never changed."""
    model: str | None
    stream: bool
    adds_usage: bool
    """The gateway asks for a stream's usage, because the caller did not; the caller does not see it."""
    new_watch: Callable[[], Watch]
    """Makes the watch over one streamed answer to this request."""
    choices: int = 1
    """How many answers it asks for at once."""
    is_chunks: bool = False
    """Its answer is a stream of chat or completions chunks."""
    tells_usage: bool = False
    """It is to say so; what the caller did not ask for is taken out again."""
    route: str | None = None
    """The only route whose replicas may answer."""
    is_stand_in: bool = False
    """Its model stands in for the one that was asked for, which cannot answer."""
    is_any_model: bool = False
    """When no model is named and none can be taken for granted, the first that offers the route will do."""
    reply: Callable[[bytes], bytes] | None = None
    """Writes an answer in one piece anew, in the caller's shape; None leaves it as the replica wrote it."""
    saying: Saying | None = None
    keeping: Keeping | None = None
    sent: dict[str, Any] | None = None
    """What the caller sent, parsed, where `body` was made of it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One route that is answered by a replica."""

    path: str
    """The path here; of one that names something, the pattern."""
    dialect: Dialect
    read: Callable[[bytes], Asked]
    """Understands a body; raises a `Refusal` that names what is wrong with it."""
    takes_session_id: bool = False
    """Its body may name a session, and needs no other credential then."""
    has_heartbeat: bool = False
    """Its streams carry comments while the model is silent."""


@dataclass(slots=True)
class Exchange:
    """The whole of one request, from the first byte read to the last byte written."""

    id: str
    """Names the exchange to the caller, to the replica and in the log."""
    operation: Operation
    headers: Headers
    """The caller's headers."""
    receive: Callable[[], Awaitable[bytes]]
    """Reads the caller's body to its end; raises `BodyTooLarge` or `CallerGone`."""
    started: float
    """When it began, on the gateway's clock."""
    target: str = ""
    """What the path names: a session."""
    query: bytes = b""
    """What stands behind the path; it reaches no replica."""
    caller: Caller = ANONYMOUS
    address: str = ""
    """The caller's network address; empty where there is none, as on a Unix socket."""
    head: Head | None = None
    """What is known of the headers besides."""
    is_expected: bool = False
    """It came on a connection that the caller could not know to be the wrong one: the shutdown is younger."""
    told: Headers = field(default_factory=list)
    """Headers of the reply that tell the caller where its answer came from."""
    limits: bytes = b""
    """Lines of the reply's head that tell the caller what is left of its limits; each ends with CR LF."""
    task: "asyncio.Task[Any] | None" = None
    """What runs it; cancelling this stops the exchange wherever it is. None once it is over."""
    body: bytes = b""
    """The caller's body, untouched; what goes to a replica is built from it, again for every attempt."""
    asked: Asked | None = None
    model: str | None = None
    """The model that answers: what was asked for, after aliases and defaults."""
    prefers: str | None = None
    """Name of the replica whose cache is likely to know the prompt already."""
    blocks: Sequence[int] = ()
    """Hashes of the prompt's blocks, each over all before it, where the policy asks for them."""
    known_blocks: int = 0
    """How many of them the chosen replica was believed to have in its cache."""
    work: float = 1.0
    """What it weighs for a replica, in requests of ordinary size."""
    attempts: int = 0
    """How many replicas have been asked so far."""
    replica: str | None = None
    """Name of the replica asked last."""
    status: int = 0
    """Status of the reply; 0 until there is one."""
    is_event_stream: bool = False
    """The reply was begun as a stream of events: only an event can still tell of a failure."""
    resumed: int = 0
    """How often its stream went on from another replica."""
    usage: Usage | None = None
    watch: Watch | None = None
    """Looks at the stream that is being answered; knows more than `usage` while it runs."""
    events_so_far: Callable[[], int | None] | None = None
    """Says how many events of a stream have been told, about one for each token; None: nobody counts."""
    outcome: Outcome | None = None
    trail: Trail = field(default_factory=Trail)
    stopped_by: GatewayError | None = None
    """Why the gateway itself stopped the exchange."""

    def sends_any(self, names: AbstractSet[bytes]) -> bool:
        """Say whether any header of the caller's has one of these names."""
        head = self.head
        if head is None:
            return not names.isdisjoint([name for name, _ in self.headers])
        if head.names is None:
            head.names = frozenset([name for name, _ in head.headers])
        return not head.names.isdisjoint(names)

    def stop(self, why: GatewayError) -> None:
        """End the exchange from outside; its caller is told `why`."""
        self.stopped_by = why
        if self.task is not None:
            self.task.cancel()


class Flow(Protocol):
    """What feeds a sink, and can be told to wait."""

    def pause(self) -> None:
        """Stop reading: the caller is slower than the replica."""
        ...

    def resume(self) -> None:
        """Go on reading."""
        ...


class Sink(Protocol):
    """Where an answer goes: one lane's view of the caller's connection.

    `start`, `write` and `end` return at once and may be called from any callback. A caller who leaves cancels the task
    that runs the exchange; `is_gone` then says why.
    """

    @property
    def is_gone(self) -> bool:
        """The caller has left; nothing that is written arrives."""
        ...

    @property
    def is_started(self) -> bool:
        """The head of the reply has been written: its status can no longer change."""
        ...

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when the caller is slow."""
        ...

    def start(self, status: int, headers: Headers) -> None:
        """Write the head of the reply."""
        ...

    def write(self, data: bytes) -> None:
        """Write a part of the body."""
        ...

    def end(self) -> None:
        """Complete the reply."""
        ...

    def cut(self) -> None:
        """Close the caller's connection behind what was written, without completing the reply."""
        ...

    def drop(self) -> None:
        """Close the caller's connection at once, whatever it has not taken yet."""
        ...

    def until(self, done: "asyncio.Future[T]") -> Awaitable[T]:
        """Wait for `done`, and keep writing meanwhile; who stops waiting may cancel it."""
        ...
