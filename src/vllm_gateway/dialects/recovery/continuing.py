"""Going on by token ids: what the next replica is asked, and its answer in the shape of the stream that broke off.

The next replica gets the prompt's ids and those of the answer so far as one prompt. `/v1/completions` takes that, and
knows nothing of chats: its chunks are written anew as those of the first stream.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.recovery.cutting import Cut
from vllm_gateway.dialects.recovery.stopping import StopStrings
from vllm_gateway.dialects.recovery.told import Told, is_broken
from vllm_gateway.dialects.sse import payloads, split_events
from vllm_gateway.errors import ReplicaFailed, ReplicaTruncated
from vllm_gateway.exchange import Leg

PATH = "/v1/completions"
_DEFAULT_MAX_TOKENS = 16
"""What vLLM takes for a completion without `max_tokens`."""
_MOST_BYTES_A_TOKEN = 256
"""Longer is no token: the longest are runs of spaces."""
_LEAST_TELLTALE = 8
"""Fewer characters may well come twice."""
_COPIED = (
    "model",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "logit_bias",
    "allowed_token_ids",
    "stop",
    "stop_token_ids",
    "ignore_eos",
    "seed",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stream_options",
    "cache_salt",
    "priority",
    "user",
    "service_tier",
)
"""Members that mean the same to a chat and to a completion, and behind the cut what they meant before it."""
SAME = ("id", "object", "created", "model", "service_tier")
"""Members that all chunks of a stream have in common."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the first replica was asked."""

    path: str
    fields: Mapping[str, Any]
    max_model_len: int | None

    @property
    def stops(self) -> list[str]:
        """Its stop strings."""
        stop = self.fields.get("stop")
        return [stop] if isinstance(stop, str) else [each for each in stop or () if isinstance(each, str)]

    @property
    def includes_stop(self) -> bool:
        """The stop string that ends the answer belongs to it."""
        return bool(self.fields.get("include_stop_str_in_output"))

    @property
    def hold(self) -> int:
        """How many characters a replica holds back for the sake of stop strings."""
        return 0 if self.includes_stop else max(map(len, self.stops), default=1) - 1

    @property
    def wants_usage(self) -> bool:
        """The stream ends with the usage."""
        options = self.fields.get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))

    def most_tokens(self, prompt: int) -> int | None:
        """Return how many tokens the answer may have in all; None when that is not known."""
        room = None if self.max_model_len is None else self.max_model_len - prompt
        fields = self.fields
        wanted = fields.get("max_completion_tokens") if self.path != PATH else None
        wanted = fields.get("max_tokens") if wanted is None else wanted
        if not isinstance(wanted, int):
            wanted = _DEFAULT_MAX_TOKENS if self.path == PATH else None
        if wanted is None or room is None:
            return room if wanted is None else wanted
        return min(wanted, room)


def leg_for(request: Request, told: Told, kept: int) -> Leg | None:
    """Return what the next replica is asked so that the answer goes on behind `kept` of its tokens.

    None: no token is left of what was asked for, or it is not known how many there may be.
    """
    prompt = told.prompt_token_ids
    most = None if prompt is None else request.most_tokens(len(prompt))
    if prompt is None or most is None or most <= kept:
        return None
    fields = request.fields
    body = {name: fields[name] for name in _COPIED if fields.get(name) is not None}
    body |= {
        "prompt": prompt.tolist() + told.choices[0].token_ids[:kept].tolist(),
        "add_special_tokens": False,
        "max_tokens": most - kept,
        "stream": True,
        "return_token_ids": True,
    }
    if request.stops or request.includes_stop:
        body["include_stop_str_in_output"] = True
    if isinstance(least := fields.get("min_tokens"), int) and least > kept:
        body["min_tokens"] = least - kept
    return Leg(PATH, codec.dumps(body))


class Continuation:
    """Takes the stream of the next replica, and gives it as the rest of the first one.

    Args:
        request: What the first replica was asked.
        told: What the caller was told; it is kept up to date.
        cut: Where the answer goes on.
        shows_ids: The caller sees token ids, as it asked to.
    """

    def __init__(self, request: Request, told: Told, cut: Cut, *, shows_ids: bool) -> None:
        self.is_over = False
        """The answer is complete, though the replica may go on."""
        self._request = request
        self.told = told
        """What the caller was told."""
        self.choice = told.choices[0]
        """The only one."""
        self._is_chat = request.path != PATH
        self._before = cut.kept
        self._shows_ids = shows_ids
        self._is_first = True
        self._is_broken = False
        del self.choice.token_ids[cut.kept :]
        self._strand = ("content", 0) if self._is_chat else ("text", 0)
        self._repeated = cut.before
        text, included = self.choice.text(self._strand), request.includes_stop
        self._stops = StopStrings(request.stops, is_included=included, told=text, held=cut.held)

    def feed(self, events: bytes) -> bytes:
        """Take whole events; return those that the caller gets.

        Raises:
            ReplicaFailed: an event is no JSON.
            ReplicaTruncated: what came cannot be the rest of the answer.
        """
        read = [(event, _chunk_of(event)) for event in split_events(events)]  # first all, so that nothing is half told
        return b"".join(self._translated(event, chunk) for event, chunk in read)

    def _translated(self, event: bytes, chunk: dict[str, Any] | None) -> bytes:
        if self.is_over:
            return b""
        if chunk is None or self._is_broken or is_broken(chunk):
            self._is_broken = self._is_broken or chunk is not None
            return event  # whoever watches the stream sees what it is, and lets nothing through behind it
        more = self._more(chunk)
        if not chunk["choices"]:
            self.told.is_usage_told = self.told.is_usage_told or "usage" in more
            return self.event([], more)
        return self.said(chunk["choices"][0], more)

    def said(self, said: dict[str, Any], more: dict[str, Any]) -> bytes:
        """Return the events for a choice of the next replica's chunk."""
        new, ids, reason = said.get("text") or "", said.get("token_ids") or [], said.get("finish_reason")
        self.check(new, len(ids))
        text = self._stops.take(new, is_last=reason is not None)
        self.choice.token_ids.extend(ids)
        self.choice.add(self._strand, text)
        stop_reason: object = said.get("stop_reason")
        is_early = self._stops.found is not None and reason is None
        if self._stops.found is not None:
            reason, stop_reason = "stop", self._stops.found
        self.choice.finish_reason = reason
        choice = self._written(text, ids, reason, stop_reason)
        return self._ended(choice, more) if is_early else self.event([choice], more)

    def _ended(self, choice: dict[str, Any], more: dict[str, Any]) -> bytes:
        """Return the last events of an answer that a stop string across the cut ends; its replica knows nothing of it.

        Where vLLM writes its fingerprint depends on whether the usage is told.
        """
        self.is_over = True
        print_ = self.told.facts.get("system_fingerprint")
        fingerprint = {} if print_ is None else {"system_fingerprint": print_}
        if not self._request.wants_usage:
            return self.event([choice], more | fingerprint) + b"data: [DONE]\n\n"
        self.told.is_usage_told = True
        usage = {"usage": self._usage(len(self.choice.token_ids))}
        return self.event([choice], more) + self.event([], usage | fingerprint) + b"data: [DONE]\n\n"

    def check(self, text: str, tokens: int) -> None:
        """Raise when the first text cannot be what follows: a decoder that lost its place gives the prompt again."""
        if not self._is_first or not text:
            return
        self._is_first = False
        is_repeated = len(self._repeated) >= _LEAST_TELLTALE and self._repeated in text[:-1]
        if len(text.encode()) > _MOST_BYTES_A_TOKEN * max(1, tokens) or is_repeated:
            raise ReplicaTruncated("The answer broke off, and what another model server sent is not the rest of it.")

    def _more(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """Return the members of a chunk beside its choices, as the first replica would have written them."""
        more: dict[str, Any] = {}
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            more["usage"] = self._usage(self._before + (usage.get("completion_tokens") or 0))
        fingerprint = chunk.get("system_fingerprint")
        if fingerprint is not None:
            more["system_fingerprint"] = self.told.facts.get("system_fingerprint") or fingerprint
        return more

    def _usage(self, completion: int) -> dict[str, int]:
        prompt = len(self.told.prompt_token_ids or ())
        return {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}

    def _written(self, text: str, ids: list[int], reason: str | None, stop_reason: object) -> dict[str, Any]:
        """Return a choice in the shape of the first stream."""
        shown = self.shown(ids)
        if not self._is_chat:
            return {
                "index": 0,
                "text": text,
                "logprobs": None,
                "finish_reason": reason,
                "stop_reason": stop_reason,
                "prompt_token_ids": None,
                "token_ids": shown,
            }
        choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": reason}
        return choice | ({} if reason is None else {"stop_reason": stop_reason}) | {"token_ids": shown}

    def shown(self, ids: list[int]) -> list[int] | None:
        """Return token ids as the caller sees them."""
        return ids if self._shows_ids else None

    def event(self, choices: list[dict[str, Any]], more: dict[str, Any]) -> bytes:
        """Return an event of the first stream."""
        facts = self.told.facts
        same = {name: facts[name] for name in SAME if name in facts}
        return b"data: " + codec.dumps(same | {"choices": choices} | more) + b"\n\n"


def _chunk_of(event: bytes) -> dict[str, Any] | None:
    """Return the chunk of an event; None when it has none: a comment, or the end."""
    payload = next(payloads(event), None)
    if payload is None:
        return None
    try:
        chunk = codec.loads(payload)
    except codec.MalformedJson as error:
        raise ReplicaFailed("The model server sent an event that is not JSON.") from error
    return chunk if isinstance(chunk, dict) else {}
