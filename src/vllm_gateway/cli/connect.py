"""`vllm-gateway connect`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from vllm_gateway.settings.surroundings import said

if TYPE_CHECKING:
    from vllm_gateway.connect.place import Place
    from vllm_gateway.connect.snippet import Snippet


def connect(
    client: str | None = None,
    *,
    url: str | None = None,
    model: str | None = None,
    context_tokens: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    key_variable: str = "VLLM_GATEWAY_API_KEY",
    write: bool = False,
    force: bool = False,
) -> int:
    """Tell how a client is made to use the gateway: claude-code, codex, continue, zed, open-webui, and more.

    Without a client it lists them. The model is the first that the gateway lists, unless you name one. No key is ever
    written down: snippets name the variable that holds it. Files that are there already are left as they are.

    For example: vllm-gateway connect codex --write

    Or, for a gateway elsewhere: vllm-gateway connect openai --url https://llm.example.org --model qwen

    Args:
        client: Its name.
        url: Address of the gateway, with or without /v1. [env: VLLM_GATEWAY_URL] [default: http://127.0.0.1:8080]
        model: Name of the model. [default: the first that the gateway lists]
        context_tokens: Tokens that the model can hold. [default: what the gateway says]
        key_variable: Variable of the environment that holds your key.
        write: Write the client's file instead of printing it.
        force: With --write: write it although there is one, which is kept beside it.

    Returns:
        The exit status.
    """
    from vllm_gateway.connect.clients import CLIENTS, ClientUnknown, client_named  # noqa: PLC0415 - keeps --help quick

    if client is None:
        sys.stdout.write("".join(f"{each.name:<12} {each.title}\n" for each in CLIENTS.values()))
        return 0
    try:
        program = client_named(client)
        place = _place(url, model, context_tokens, key_variable)
    except (ClientUnknown, ValueError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    snippet = program.told(place)
    if write:
        return _write(snippet, force=force)
    _print(snippet)
    return 0


def _place(url: str | None, model: str | None, context_tokens: int | None, key_variable: str) -> "Place":
    """Return what the snippet is made of; what the gateway does not tell is said on the side."""
    import asyncio  # noqa: PLC0415 - keeps --help quick
    from dataclasses import replace  # noqa: PLC0415 - as above

    from vllm_gateway.connect.asking import find_place  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.api import Target  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.api.target import DEFAULT_URL  # noqa: PLC0415 - as above

    if not key_variable.isidentifier():
        raise ValueError(f"'{key_variable}' is no name of a variable.")
    target = Target.at(url or said("VLLM_GATEWAY_URL") or DEFAULT_URL, said(key_variable))
    place, wrong = asyncio.run(find_place(target, model, key_variable=key_variable))
    if wrong:
        sys.stderr.write(f"{wrong}\n")
    return place if context_tokens is None else replace(place, context_tokens=context_tokens)


def _print(snippet: "Snippet") -> None:
    """Print the snippet alone on the standard output, so that it can be piped, and the rest beside it."""
    file = f" ({snippet.file})" if snippet.file is not None else ""
    sys.stderr.write(f"# {snippet.where}{file}\n")
    sys.stderr.flush()
    sys.stdout.write(snippet.text)
    sys.stdout.flush()
    sys.stderr.write("".join(f"# {note}\n" for note in snippet.notes))


def _write(snippet: "Snippet", *, force: bool) -> int:
    from vllm_gateway.connect.writing import NotWritten, write  # noqa: PLC0415 - keeps --help quick

    try:
        path = write(snippet, home=Path.home(), here=Path.cwd(), force=force)
    except NotWritten as left:
        sys.stderr.write(f"{left}\n")
        return 1
    sys.stdout.write(f"Wrote {path}\n")
    sys.stderr.write("".join(f"# {note}\n" for note in snippet.notes))
    return 0
