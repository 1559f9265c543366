"""Write `docs/clients.md`: what each client needs, as `vllm-gateway connect` prints it.

python -m scripts.clients_page
"""

from pathlib import Path

from vllm_gateway.connect.clients import CLIENTS
from vllm_gateway.connect.place import Place

PAGE = Path(__file__).parents[1] / "docs" / "clients.md"
PLACE = Place("http://127.0.0.1:8080", "Qwen/Qwen3-8B", context_tokens=32_768)

HEAD = """\
<!-- Made by `python -m scripts.clients_page`; change src/vllm_gateway/connect, not this file. -->
# Clients

`vllm-gateway connect CLIENT` prints what a client needs to use the gateway: with your address, the model that the
gateway lists first (or `--model`), and its context. `--write` writes the client's own file where there is none yet;
`--force` writes it over one that is there, which is kept beside it as `.before`. No key is ever written down: snippets
name the variable that holds it (`--key-variable`, `VLLM_GATEWAY_API_KEY`).

```sh
vllm-gateway connect                                   # which clients there are
vllm-gateway connect codex --write
vllm-gateway connect openai --url https://llm.example.org --model qwen > hello.py
```

What each of them really sends, its calls in the background too, is in the tests (`tests/wire/clients.py`): each request
goes through the gateway to a replica, and the answer must be whole and in the client's own shape, with and without a
key. The programs in Python and the curl line below are run as they are printed.

Clients of OpenAI's API want the address with `/v1`, those of Anthropic's want it without. Keys are read from
`Authorization: Bearer`, `X-API-Key` and `api-key`. Conversations find their replica again by `X-Session-Id`, by what
Claude Code, Codex and Open WebUI send of their own accord, or by `prompt_cache_key` ([fleet.md](fleet.md)). Other
clients that take an address of OpenAI's kind need no more than `http://127.0.0.1:8080/v1`.

| client | name for `connect` | routes |
|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    rows = "".join(
        f"| {each.title} | `{each.name}` | {', '.join(f'`{call}`' for call in each.calls)} |\n"
        for each in CLIENTS.values()
    )
    parts = [HEAD + rows]
    for client in CLIENTS.values():
        snippet = client.told(PLACE)
        place = f" `{snippet.file}`" if snippet.file is not None else ""
        notes = "".join(f"* {note}\n" for note in snippet.notes)
        parts.append(
            f"## {client.title}\n\n{snippet.where}.{place}\n\n```{_language(snippet.text, str(snippet.file))}\n"
            f"{snippet.text}```\n" + (f"\n{notes}" if notes else "")
        )
    return "\n".join(parts)


def _language(text: str, file: str) -> str:
    for ending, language in ((".json", "json"), (".toml", "toml"), (".yaml", "yaml"), (".env", "sh")):
        if file.endswith(ending):
            return language
    if text.startswith("curl"):
        return "sh"
    return "python" if "import os" in text else "ts" if "createOpenAI" in text else "text"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
