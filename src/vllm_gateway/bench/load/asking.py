"""What is asked: the bodies of the routes that are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from vllm_gateway import codec

Message = Mapping[str, Any]


class Endpoint(Enum):
    """A route that can be measured."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"

    @property
    def path(self) -> str:
        """Where it is asked."""
        return "/v1/chat/completions" if self is Endpoint.CHAT else f"/v1/{self.value}"


@dataclass(frozen=True, slots=True)
class Asking:
    """How every request of a run is made."""

    endpoint: Endpoint = Endpoint.CHAT
    is_stream: bool = True
    ignores_eos: bool = False
    """Answers have their full length, whatever the model would like to say."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are put into every body as they are."""

    @property
    def streams(self) -> bool:
        """Answers come as a stream of events."""
        return self.is_stream and self.endpoint is not Endpoint.EMBEDDINGS

    def body(self, model: str, messages: Sequence[Message], max_tokens: int) -> bytes:
        """Return the body of one request."""
        asked: dict[str, Any] = {"model": model}
        if self.endpoint is Endpoint.CHAT:
            asked["messages"] = messages
        else:
            field_name = "prompt" if self.endpoint is Endpoint.COMPLETIONS else "input"
            asked[field_name] = "\n".join(str(message["content"]) for message in messages)
        if self.endpoint is not Endpoint.EMBEDDINGS:
            asked["max_tokens"] = max_tokens
            if self.ignores_eos:
                asked["ignore_eos"] = True
        if self.streams:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        return codec.dumps(asked | dict(self.extra))
