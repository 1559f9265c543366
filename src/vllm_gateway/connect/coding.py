"""Clients that write programs: Claude Code, Codex, Continue, Zed, Cline."""

from pathlib import PurePosixPath

from vllm_gateway import codec
from vllm_gateway.connect.place import KEY_VARIABLE, Place
from vllm_gateway.connect.snippet import Snippet, as_yaml, quoted

_NEEDS_TOOLS = "It calls tools: start vLLM with --enable-auto-tool-choice and the --tool-call-parser of your model."


def claude_code(place: Place) -> Snippet:
    """Return the settings of Claude Code, which keeps the environment of a project in a file."""
    variables = {
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_MODEL": place.model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": place.model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": place.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": place.model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    notes = [f'Before you start it: export ANTHROPIC_AUTH_TOKEN="${place.key_variable}"', _NEEDS_TOOLS]
    if "/" in place.model:
        short = place.model.rpartition("/")[2]
        notes.append(
            f"It takes no model with a slash in its name. Give it another one in gateway.yaml, aliases: "
            f"{{{short}: {place.model}}}, and run this with --model {short}."
        )
    text = codec.dumps_pretty({"env": variables}).decode()
    return Snippet(text, "Claude Code: settings of a project", PurePosixPath(".claude/settings.local.json"), (*notes,))


def codex(place: Place) -> Snippet:
    """Return the settings of Codex, which speaks the Responses API only."""
    text = (
        f"model = {quoted(place.model)}\n"
        'model_provider = "vllm-gateway"\n'
        f"model_context_window = {place.context_tokens}\n"
        "\n"
        "[model_providers.vllm-gateway]\n"
        'name = "vllm-gateway"\n'
        f"base_url = {quoted(place.v1)}\n"
        f"env_key = {quoted(place.key_variable)}\n"
        'wire_api = "responses"\n'
    )
    return Snippet(text, "Codex: its settings", PurePosixPath("~/.codex/config.toml"), (_NEEDS_TOOLS,))


def continue_dev(place: Place) -> Snippet:
    """Return the settings of Continue."""
    model = {
        "name": place.model,
        "provider": "vllm",
        "model": place.model,
        "apiBase": place.v1,
        "apiKey": f"${{{{ secrets.{place.key_variable} }}}}",
        "roles": ["chat", "edit", "apply", "autocomplete"],
    }
    text = as_yaml({"name": "vllm-gateway", "version": "1.0.0", "schema": "v1", "models": [model]})
    notes = (
        f"Put the key into ~/.continue/.env: {place.key_variable}=...",
        "Autocompletion is better with a small model of its own; give it an entry and the role alone.",
    )
    return Snippet(text, "Continue: its settings", PurePosixPath("~/.continue/config.yaml"), notes)


def zed(place: Place) -> Snippet:
    """Return what Zed's settings need; they hold much else, so the file is not written over."""
    provider = {
        "api_url": place.v1,
        "available_models": [
            {
                "name": place.model,
                "display_name": place.model,
                "max_tokens": place.context_tokens,
                "capabilities": {"tools": True, "images": False},
            }
        ],
    }
    text = codec.dumps_pretty({"language_models": {"openai_compatible": {"vllm-gateway": provider}}}).decode()
    note = f"Zed reads the key from {KEY_VARIABLE}, or asks for it in its settings of LLM providers."
    where = "Zed: add this to its settings (zed: open settings)"
    return Snippet(text, where, PurePosixPath("~/.config/zed/settings.json"), (note, _NEEDS_TOOLS))


def cline(place: Place) -> Snippet:
    """Return what to enter in Cline, which keeps its settings inside the editor."""
    text = (
        "API Provider:    OpenAI Compatible\n"
        f"Base URL:        {place.v1}\n"
        f"API Key:         the value of {place.key_variable}\n"
        f"Model ID:        {place.model}\n"
        f"Context Window:  {place.context_tokens}\n"
    )
    return Snippet(text, "Cline: enter this in its settings (API Configuration)", None, (_NEEDS_TOOLS,))
