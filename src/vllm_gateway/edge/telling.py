"""What the head of an answer tells of how it came about: where the time went, and how the replica was chosen."""

from typing import Any

from vllm_gateway import codec
from vllm_gateway.exchange import Exchange, Headers
from vllm_gateway.trail import Call, Explanation, Trail

TIMING = b"server-timing"
MOST_EXPLAIN_BYTES = 4000
"""Proxies take a head of 4 or 8 KiB by default, and there is more in it than this."""
_MOST_TOLD = (1_000_000, 32, 8, 2)
"""So many replicas of each list are told, the fewer the longer it would get."""


def lines_told(exchange: Exchange) -> bytes:
    """Return the lines of the head that tell of an exchange whose answer leaves now; each ends with CR LF."""
    trail = exchange.trail
    lines = b"%bserver-timing: %b\r\n" % (exchange.limits, timing(exchange, trail.now()))
    if trail.explanation is not None:
        lines += b"x-gateway-explain: %b\r\n" % explained(exchange, trail.explanation)
    return lines


def head_told(exchange: Exchange) -> Headers:
    """Return the same as headers."""
    return headers_of(lines_told(exchange))


def headers_of(lines: bytes) -> Headers:
    """Return lines of a head as headers."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines.splitlines())]


def total_told(seconds: float) -> tuple[bytes, bytes]:
    """Return the header of an answer that the gateway gave itself."""
    return TIMING, b"total;dur=%.2f" % (seconds * 1000)


def timing(exchange: Exchange, now: float) -> bytes:
    """Return the steps that are known by now, in milliseconds, as `Server-Timing` has it.

    A stream tells the time to its replica's first token (`ttft`), an answer in one piece that to its end (`upstream`).
    """
    trail, told = exchange.trail, b""
    if trail.auth_s is not None:
        told = b"auth;dur=%.2f, " % (trail.auth_s * 1000)
    if trail.read_s is not None:
        told += b"read;dur=%.2f, " % (trail.read_s * 1000)
    if trail.queue_s or trail.route_s is not None:
        told += b"queue;dur=%.2f, " % (trail.queue_s * 1000)
    if trail.route_s is not None:
        told += b"route;dur=%.2f, " % (trail.route_s * 1000)
    if trail.connect_s is not None:
        told += b"connect;dur=%.2f, " % (trail.connect_s * 1000)
        told += _upstream(exchange, now)
    return told + b"total;dur=%.2f" % ((now - exchange.started) * 1000)


def explained(exchange: Exchange, explanation: Explanation) -> bytes:
    """Return how the replica was chosen as JSON in ASCII; of many replicas only some, so that it fits into a head."""
    for most in _MOST_TOLD:
        told = _in_ascii(codec.dumps(_told(exchange, explanation, most)))
        if len(told) <= MOST_EXPLAIN_BYTES:
            return told
    return codec.dumps({"policy": explanation.policy, "too_long": True})


def _upstream(exchange: Exchange, now: float) -> bytes:
    """Return how long the replica took that answers, from the moment on when there was a connection to it."""
    call = _answering(exchange.trail, exchange.replica)
    if call is None or call.connected_at is None:
        return b""
    first = exchange.trail.first_token_at
    if first is not None:
        return b"ttft;dur=%.2f, " % (max(0.0, first - call.connected_at) * 1000)
    if exchange.is_event_stream:
        return b""  # it began with a comment, and nothing has come yet
    return b"upstream;dur=%.2f, " % (((call.ended or now) - call.connected_at) * 1000)


def _answering(trail: Trail, replica: str | None) -> Call | None:
    for call in reversed(trail.calls):
        if call.replica == replica:
            return call
    return None


def _told(exchange: Exchange, explanation: Explanation, most: int) -> dict[str, Any]:
    replicas, choices = explanation.replicas, explanation.choices
    told: dict[str, Any] = {
        "model": exchange.model,
        "policy": explanation.policy or None,
        "prefers": exchange.prefers,
        "known_blocks": exchange.known_blocks,
        "replicas": dict(list(replicas.items())[:most]),
        "choices": [_choice(each, most) for each in choices[:most]],
        "calls": [_call(call, exchange.trail.now()) for call in exchange.trail.calls[:most]],
    }
    left_out = max(len(replicas), len(choices), *(len(each["among"]) for each in choices), 0) - most
    return told if left_out <= 0 else told | {"left_out": left_out}


def _choice(choice: dict[str, Any], most: int) -> dict[str, Any]:
    """Return a choice with the chosen one and the best of the others."""
    chosen, among = choice["chosen"], choice["among"]
    others = sorted(
        (name for name in among if name != chosen), key=lambda name: among[name].get("score", among[name]["load"])
    )
    return {"chosen": chosen, "among": {name: among[name] for name in [chosen, *others][:most]}}


def _call(call: Call, now: float) -> dict[str, Any]:
    took_ms = round(((call.ended or now) - call.began) * 1000, 2)
    return {"replica": call.replica, "ms": took_ms, "result": call.result or "answers"}


def _in_ascii(text: bytes) -> bytes:
    """Return JSON with every other character escaped, so that a header can hold it."""
    if text.isascii():
        return text
    return codec.dumps_spaced(codec.loads(text), ensure_ascii=True, separators=(",", ":")).encode()
