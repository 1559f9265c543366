"""How a fault plays out on one call."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus

from vllm_gateway import codec
from vllm_gateway.sim.api.problems import Problem
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.faults.grammar import Fault, Kind

_DONE = b"data: [DONE]\n\n"
_GARBAGE = b'data: {"id":"chatcmpl-0","choices":[{"index":0,"delta":{"content":"\n\n'
_CLOSING = frozenset({Kind.RESET, Kind.EOF, Kind.STALL})
_BREAKING = _CLOSING | {Kind.CUT, Kind.ERROR}
_ABOUT_TOKENS = _BREAKING | {Kind.GARBAGE}
_FILTERED = codec.dumps(
    {
        "error": {
            "message": "The request was refused because of what it says. Change it and try again.",
            "type": "invalid_request_error",
            "param": "prompt",
            "code": "content_filter",
        }
    }
)
_NO_PREFILL = Problem("The chat template of this model wants the conversation to end with a user message.").body


class Script:
    """The faults of one call, in the order in which they were given."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = list(faults)
        self._told = 0

    @property
    def delay_s(self) -> float:
        """How much later the first token comes."""
        return sum(fault.seconds or 0.0 for fault in self._faults if fault.kind is Kind.SLOW)

    @property
    def abort_at(self) -> int | None:
        """After how many tokens the engine gives up; None for never."""
        fault = self._next(Kind.ABORT)
        return None if fault is None else max(1, fault.token or 0)

    def add(self, faults: Sequence[Fault]) -> None:
        """Let more go wrong with the call."""
        self._faults.extend(faults)

    def at_head(self, call: Call) -> None:
        """Play what happens before the body is read."""
        if fault := self._next(Kind.DEAF):
            call.connection.stop_reading(fault.seconds)

    def at_body(self, call: Call, go_on: Callable[[], None]) -> bool:
        """Play what happens before anything is done; tell whether to answer, or `go_on` comes later or never."""
        for fault in list(self._faults):
            if fault.kind is Kind.ABORT or fault.kind is Kind.SLOW:
                call.seen.fault = str(fault)
            elif fault.kind is Kind.DEAF:
                self._note(call, fault)
                if fault.seconds is None:
                    call.mute()
                    return False
                left_s = fault.seconds - (call.connection.now() - call.seen.head_at)
                if left_s > 0:
                    asyncio.get_running_loop().call_later(left_s, go_on)
                    return False
            elif fault.kind is Kind.STATUS:
                self._note(call, fault)
                _refuse(call, fault)
                return False
            elif fault.kind is Kind.FILTER or (fault.kind is Kind.NOPREFILL and _ends_with_assistant(call.seen.body)):
                self._note(call, fault)
                call.reply(HTTPStatus.BAD_REQUEST, _FILTERED if fault.kind is Kind.FILTER else _NO_PREFILL)
                return False
            elif fault.kind in _CLOSING and fault.token is None and fault.argument is None:
                self._note(call, fault)
                _close(call, fault.kind)
                return False
        return True

    def before_reply(self, call: Call, answer: bytes) -> bool:
        """Play what happens to an answer in one piece; tell whether it is still to be sent."""
        for fault in list(self._faults):
            if fault.kind not in _BREAKING or call.seen.tokens < (fault.token or 0):
                continue
            self._note(call, fault)
            if fault.kind is Kind.CUT:
                call.connection.write(answer[: -(len(answer) // 4)])
                _close(call, Kind.EOF)
            elif fault.kind is Kind.ERROR:
                problem = Problem("Internal server error", status=500, kind="InternalServerError")
                call.reply(problem.status, problem.body)
            elif fault.seconds is not None:
                asyncio.get_running_loop().call_later(fault.seconds, call.resume, answer)
            else:
                _close(call, fault.kind)
            return False
        return True

    def before_send(self, call: Call, piece: bytes, tokens: int) -> bool:
        """Play what happens to an event of a stream; tell whether it is still to be sent."""
        for fault in list(self._faults):
            if fault.kind is Kind.NODONE:
                if piece == _DONE:
                    self._note(call, fault)
                    return False
            elif (
                fault.kind in _ABOUT_TOKENS
                and (tokens or self._told)
                and self._told >= (fault.token or 0)
                and not self._play(call, fault, piece)
            ):
                return False
        self._told += tokens
        return not call.is_ended

    def _play(self, call: Call, fault: Fault, piece: bytes) -> bool:
        """Do what `fault` says in place of `piece`, or before it; tell whether `piece` is still to be sent."""
        kind = fault.kind
        if kind is Kind.CUT:
            half = _half(piece, fault.argument or "")
            if half is None:
                return True
            self._note(call, fault)
            _cut(call, piece, half, is_chunk_whole=fault.argument != "chunk")
        elif kind is Kind.STALL and fault.seconds is not None:
            self._note(call, fault)
            call.hold(fault.seconds)
            return True
        elif kind in _CLOSING:
            self._note(call, fault)
            _close(call, kind)
        elif kind is Kind.GARBAGE:
            self._note(call, fault)
            call.send(_GARBAGE)
            return True
        elif call.work is not None:
            self._note(call, fault)
            call.work.stop()
            call.work.failed("Internal server error")
        return False

    def _next(self, kind: Kind) -> Fault | None:
        return next((fault for fault in self._faults if fault.kind is kind), None)

    def _note(self, call: Call, fault: Fault) -> None:
        self._faults.remove(fault)
        call.seen.fault = str(fault)
        call.seen.fault_at = call.connection.now()


def _refuse(call: Call, fault: Fault) -> None:
    code, _, retry_after = (fault.argument or "").partition(":")
    if retry_after:
        call.headers_out.append(f"retry-after: {retry_after}\r\n".encode())
    try:
        phrase = HTTPStatus(int(code)).phrase
    except ValueError:
        phrase = "Error"
    problem = Problem(f"{phrase}, as the fault {fault} wants.", status=int(code), kind=phrase)
    call.reply(problem.status, problem.body)


def _ends_with_assistant(body: bytes) -> bool:
    """Say whether a chat is to be continued in the assistant's own words."""
    try:
        value = codec.loads(body)
    except codec.MalformedJson:
        return False
    messages = value.get("messages") if isinstance(value, dict) else None
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, dict) and (last.get("role") == "assistant" or bool(value.get("continue_final_message")))


def _close(call: Call, kind: Kind) -> None:
    if kind is Kind.STALL:
        # What is generated from now on is not sent; the call ends when its caller leaves.
        call.mute()
        return
    if call.work is not None:
        call.work.stop()
    if kind is Kind.RESET:
        call.connection.reset()
    else:
        call.connection.close("fault")
    call.drop()


def _half(piece: bytes, where: str) -> int | None:
    """Return where to cut `piece`; None when it has no place of that kind."""
    if where != "char":
        return len(piece) // 2
    inside = (at for at, byte in enumerate(piece) if byte & 0xC0 == 0x80)  # noqa: PLR2004 - a byte that continues
    return next(inside, None)


def _cut(call: Call, piece: bytes, half: int, *, is_chunk_whole: bool) -> None:
    cut = piece[:half]
    if call.is_chunked:
        announced = len(cut) if is_chunk_whole else len(piece)
        cut = b"%x\r\n%b%b" % (announced, cut, b"\r\n" if is_chunk_whole else b"")
    call.connection.write(cut)
    _close(call, Kind.EOF)
