"""The answers of the canned replica: made once, in the shape of vLLM's, framed for HTTP/1.1."""

from dataclasses import dataclass

from vllm_gateway import codec

MODEL = "canned"
KEY = "sk-benchmark-4f1c9a72d05e8b36"
"""What the load client shows whoever asks for a key."""
_CREATED = 1_795_000_000
_ID = "chatcmpl-5eed0c0ffee0f00d"
_PROMPT_TOKENS, _COMPLETION_TOKENS = 120, 16
_TOKEN = {"index": 0, "delta": {"content": " relay"}, "logprobs": None, "finish_reason": None, "token_ids": None}
_LAST = {**_TOKEN, "finish_reason": "length", "stop_reason": None}
END_OF_CHUNKS = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a streamed answer: one `role`, tokens, one `last` with the finish reason."""

    role: bytes
    token: bytes
    last: bytes
    done: bytes = b"data: [DONE]\n\n"


def completion() -> bytes:
    """Return a chat completion of about 700 bytes."""
    message = {
        "role": "assistant",
        "content": "A relay reads what the replica writes and hands it on at once.",
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "reasoning": None,
    }
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
        "token_ids": None,
        "routed_experts": None,
    }
    return codec.dumps(
        {
            "id": _ID,
            "object": "chat.completion",
            "created": _CREATED,
            "model": MODEL,
            "choices": [choice],
            "service_tier": None,
            "system_fingerprint": "vllm-canned",
            "usage": _usage(_COMPLETION_TOKENS),
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "prompt_text": None,
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "metrics": None,
        }
    )


def events() -> Events:
    """Return the events of a stream; that of a token has about 200 bytes."""
    role = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    return Events(
        role=_event(choices=[role], prompt_token_ids=None, prompt_text=None),
        token=_event(choices=[_TOKEN]),
        last=_event(choices=[_LAST], system_fingerprint="vllm-canned"),
    )


def counted(tokens: int) -> Events:
    """Return the events as they are when each tells the usage, the token being that many of the answer."""
    plain = events()
    return Events(
        role=_told(plain.role, 0),
        token=_told(plain.token, tokens),
        last=_told(plain.last, tokens),
    )


def usage(tokens: int) -> bytes:
    """Return the event that tells the usage of a whole answer."""
    return _event(choices=[], usage=_usage(tokens), system_fingerprint="vllm-canned", metrics=None)


def models() -> bytes:
    """Return the list of the one model."""
    model = {
        "id": MODEL,
        "object": "model",
        "created": _CREATED,
        "owned_by": "vllm",
        "root": MODEL,
        "parent": None,
        "max_model_len": 4096,
        "permission": [],
    }
    return codec.dumps({"object": "list", "data": [model]})


def response(body: bytes, *, status: bytes = b"200 OK") -> bytes:
    """Return a whole response with a JSON body."""
    return b"HTTP/1.1 %b\r\nserver: canned\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


def stream_head() -> bytes:
    """Return the head of a streamed response."""
    return (
        b"HTTP/1.1 200 OK\r\nserver: canned\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )


def chunk(data: bytes) -> bytes:
    """Return the data as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _told(event: bytes, tokens: int) -> bytes:
    """Return the event with what the answer has come to."""
    value = codec.loads(event.removeprefix(b"data: "))
    return b"data: %b\n\n" % codec.dumps(value | {"usage": _usage(tokens)})


def _usage(tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": _PROMPT_TOKENS,
        "total_tokens": _PROMPT_TOKENS + tokens,
        "completion_tokens": tokens,
        "prompt_tokens_details": None,
        "completion_tokens_details": None,
    }


def _event(**fields: object) -> bytes:
    value = {"id": _ID, "object": "chat.completion.chunk", "created": _CREATED, "model": MODEL, **fields}
    return b"data: %b\n\n" % codec.dumps(value)
