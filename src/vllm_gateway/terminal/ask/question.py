"""What is asked: from the command line, from stdin, or from both."""

from dataclasses import dataclass, field
from typing import Any

from vllm_gateway.terminal.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Question:
    """A question, who shall answer it, and how the answer is wanted."""

    text: str
    model: str | None = None
    system: str | None = None
    session: str | None = None
    """The conversation that it belongs to."""
    parameters: Parameters = field(default_factory=Parameters)
    is_streamed: bool = True
    is_json: bool = False
    may_be_cut: bool = False
    """Whoever asks for so many tokens and no more has a whole answer with them."""

    @property
    def path(self) -> str:
        """Where it is asked."""
        return f"/v1/sessions/{self.session}/chat" if self.session else "/v1/chat/completions"

    def body(self) -> dict[str, Any]:
        """Return what is sent."""
        system = [{"role": "system", "content": self.system}] if self.system and not self.session else []
        said: dict[str, Any] = (
            {"message": self.text} if self.session else {"messages": [*system, {"role": "user", "content": self.text}]}
        )
        named = {"model": self.model} if self.model else {}
        streamed = {"stream": True, "stream_options": {"include_usage": True}} if self.is_streamed else {}
        return {**named, **said, **self.parameters.body(), **streamed}


def joined(argument: str | None, piped: str | None) -> str:
    """Return the question: what was typed first, then what was piped. Raise `ValueError` when there is neither."""
    parts = [part.strip("\n") for part in (argument, piped) if part is not None and part.strip()]
    if not parts:
        raise ValueError('Nothing was asked. For example: vllm-gateway ask "Why is the sky blue?"')
    return "\n\n".join(parts)
