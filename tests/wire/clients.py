"""What each client really sends: method, path, headers and body, as they were seen from outside, cut to their members.

A client is more than its first question: the calls that it makes in the background are here too.
"""

from dataclasses import dataclass, field
from typing import Any

MODEL = "sim-small"
KEY = "a-key-of-the-tests"

BEARER = {"authorization": f"Bearer {KEY}"}
_STAINLESS = {
    "x-stainless-lang": "python",
    "x-stainless-package-version": "3.52.0",
    "x-stainless-os": "Linux",
    "x-stainless-arch": "x64",
    "x-stainless-runtime": "CPython",
    "x-stainless-runtime-version": "3.12.3",
    "x-stainless-async": "false",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
}
_CLAUDE = {
    **BEARER,
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "anthropic-dangerous-direct-browser-access": "true",
    "user-agent": "claude-cli/2.1.0 (external, cli)",
    "x-app": "cli",
    "x-claude-code-session-id": "4f6d2a9e-1c3b-4f7e-9a51-0d8e2b7c6f10",
}
_LIBRARY = {**BEARER, **_STAINLESS}
SAID: list[dict[str, Any]] = [
    {"role": "system", "content": "You are a careful assistant."},
    {"role": "user", "content": "Name three rivers."},
]
CACHED = {"cache_control": {"type": "ephemeral"}}


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a client, and what it needs of the answer."""

    client: str
    what: str
    path: str
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=lambda: dict(BEARER))
    ends: str = ""
    """How the answer ends that the client takes for complete."""
    members: tuple[str, ...] = ()
    """What the JSON of an answer in one piece has to hold."""

    @property
    def name(self) -> str:
        """How the test is called."""
        return f"{self.client}: {self.what}"


def _chat(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - any member of a body
    return {"model": MODEL, "messages": SAID, "max_tokens": 8, **more}


_DONE = "data: [DONE]\n\n"
_STREAM = {"stream": True, "stream_options": {"include_usage": True}}
_CLAUDE_SYSTEM = [
    {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.0; cc_entrypoint=cli; cch=0a1b2;"},
    {"type": "text", "text": "You are Claude Code, Anthropic's official CLI for Claude.", **CACHED},
]
_CLAUDE_SAID = [{"role": "user", "content": [{"type": "text", "text": "Name three rivers.", **CACHED}]}]
_METADATA = {"metadata": {"user_id": "user_0123_account__session_4f6d2a9e-1c3b-4f7e-9a51-0d8e2b7c6f10"}}
CLAUDE_QUESTION: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 16,
    "system": _CLAUDE_SYSTEM,
    "messages": _CLAUDE_SAID,
    "stream": True,
    "temperature": 1,
    **_METADATA,
}
CODEX_QUESTION: dict[str, Any] = {
    "model": MODEL,
    "instructions": "You are a coding agent.",
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Name three rivers."}]},
    ],
    "tools": [
        {
            "type": "function",
            "name": "shell",
            "description": "Runs a command.",
            "strict": False,
            "parameters": {"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}}},
        }
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": None,
    "store": False,
    "stream": True,
    "include": [],
    "prompt_cache_key": "0199a213-81c0-7800-8aa1-bbab2a035a53",
}
_CODEX = {
    **BEARER,
    "accept": "text/event-stream",
    "originator": "codex_cli_rs",
    "user-agent": "codex_cli_rs/0.162.1",
    "session-id": "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "thread-id": "0199a213-81c0-7800-8aa1-bbab2a035a53",
}
_OPEN_WEBUI = {
    **BEARER,
    "x-openwebui-user-name": "Ada%20Lovelace",
    "x-openwebui-user-id": "b0f1",
    "x-openwebui-user-email": "ada@example.org",
    "x-openwebui-user-role": "user",
    "x-openwebui-chat-id": "9d1c",
}

CALLS: tuple[Call, ...] = (
    Call("openai", "a stream", "/v1/chat/completions", _chat(stream=True), _LIBRARY, _DONE),
    Call("openai", "one piece", "/v1/chat/completions", _chat(), _LIBRARY, members=("choices", "usage")),
    Call("anthropic", "one piece", "/v1/messages", {"model": MODEL, "max_tokens": 8, "messages": _CLAUDE_SAID},
         {"x-api-key": KEY, "anthropic-version": "2023-06-01", **_STAINLESS},
         members=("content", "stop_reason", "usage")),
    Call("claude-code", "a question", "/v1/messages?beta=true", CLAUDE_QUESTION, _CLAUDE,
         'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    Call("claude-code", "how much it is", "/v1/messages/count_tokens?beta=true",
         {"model": MODEL, "system": _CLAUDE_SYSTEM, "messages": _CLAUDE_SAID}, _CLAUDE, members=("input_tokens",)),
    Call("codex", "a question", "/v1/responses", CODEX_QUESTION, _CODEX),
    Call("continue", "a chat", "/v1/chat/completions", _chat(stream=True), ends=_DONE),
    Call("continue", "autocompletion", "/v1/completions",
         {"model": MODEL, "prompt": "def river():\n", "max_tokens": 8, "temperature": 0.01, "stream": True,
          "stop": ["\n\n", "```"]}, ends=_DONE),
    Call("zed", "a chat", "/v1/chat/completions",
         _chat(messages=[{"role": "user", "content": [{"type": "text", "text": "Name three rivers."}]}],
               stop=[], temperature=1.0, max_completion_tokens=8, **_STREAM), ends=_DONE),
    Call("cline", "a chat", "/v1/chat/completions", _chat(temperature=0, **_STREAM), ends=_DONE),
    Call("open-webui", "a chat", "/v1/chat/completions", _chat(**_STREAM), _OPEN_WEBUI, _DONE),
    Call("open-webui", "a title", "/v1/chat/completions",
         _chat(stream=False, max_completion_tokens=64), _OPEN_WEBUI, members=("choices",)),
    Call("librechat", "a chat", "/v1/chat/completions", _chat(user="64f", stream=True), _LIBRARY, _DONE),
    Call("librechat", "a title", "/v1/chat/completions",
         _chat(messages=[{"role": "user", "content": "A title, please."}], temperature=0.2, presence_penalty=0),
         members=("choices",)),
    Call("aichat", "a chat", "/v1/chat/completions", _chat(stream=True), ends=_DONE),
    Call("llm", "a chat", "/v1/chat/completions", _chat(**_STREAM), _LIBRARY, _DONE),
    Call("langchain", "a stream", "/v1/chat/completions", _chat(**_STREAM), _LIBRARY, _DONE),
    Call("vercel-ai", "a stream", "/v1/chat/completions", _chat(**_STREAM),
         {**BEARER, "user-agent": "ai/7.0.0 ai-sdk/provider-utils/5.0.0 runtime/node.js/22"}, _DONE),
    Call("curl", "a stream", "/v1/chat/completions", _chat(stream=True), ends=_DONE),
)  # fmt: skip

LISTINGS: tuple[Call, ...] = (
    Call("codex", "models", "/v1/models?client_version=0.162.1", headers=_CODEX, members=("models",)),
    Call("claude-code", "models", "/v1/models?limit=1000", headers=_CLAUDE, members=("data", "has_more", "first_id")),
    Call("continue", "models", "/v1/models", members=("data",)),
    Call("open-webui", "models", "/v1/models", headers=_OPEN_WEBUI, members=("data",)),
    Call("librechat", "models", "/v1/models", members=("data",)),
    Call("llm", "models", "/v1/models", members=("data",)),
)
