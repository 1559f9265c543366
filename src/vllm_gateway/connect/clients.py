"""All clients by name."""

from difflib import get_close_matches

from vllm_gateway.connect import chatting, coded, coding
from vllm_gateway.connect.snippet import ClientProgram

_CHAT, _MODELS = "/v1/chat/completions", "/v1/models"

CLIENTS: dict[str, ClientProgram] = {
    client.name: client
    for client in (
        ClientProgram("claude-code", "Claude Code", ("/v1/messages", "/v1/messages/count_tokens"), coding.claude_code),
        ClientProgram("codex", "Codex", ("/v1/responses", _MODELS), coding.codex),
        ClientProgram("continue", "Continue", (_CHAT, "/v1/completions", _MODELS), coding.continue_dev),
        ClientProgram("zed", "Zed", (_CHAT,), coding.zed),
        ClientProgram("cline", "Cline", (_CHAT,), coding.cline),
        ClientProgram("open-webui", "Open WebUI", (_CHAT, _MODELS), chatting.open_webui),
        ClientProgram("librechat", "LibreChat", (_CHAT, _MODELS), chatting.librechat),
        ClientProgram("aichat", "aichat", (_CHAT,), chatting.aichat),
        ClientProgram("llm", "llm", (_CHAT,), chatting.llm),
        ClientProgram("langchain", "LangChain", (_CHAT,), coded.langchain),
        ClientProgram("vercel-ai", "Vercel AI SDK", (_CHAT,), coded.vercel_ai),
        ClientProgram("openai", "OpenAI for Python", (_CHAT,), coded.openai),
        ClientProgram("anthropic", "Anthropic for Python", ("/v1/messages",), coded.anthropic),
        ClientProgram("curl", "curl", (_CHAT,), coded.curl),
    )
}


class ClientUnknown(ValueError):
    """There is no such client; `str()` of it names those that there are."""


def client_named(name: str) -> ClientProgram:
    """Return a client by its name, in any letters; raise `ClientUnknown` when there is none."""
    wanted = name.strip().lower().replace(" ", "-").replace("_", "-")
    found = CLIENTS.get(wanted)
    if found is None:
        near = get_close_matches(wanted, CLIENTS, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise ClientUnknown(f"'{name}' is not a client that is known here.{guess} There are: {', '.join(CLIENTS)}.")
    return found
