"""What a gateway that runs says of its models, for a snippet that works as it is."""

import asyncio

from vllm_gateway.connect.place import DEFAULT_CONTEXT_TOKENS, KEY_VARIABLE, Place
from vllm_gateway.terminal.api import Client, Fault, Target

PATIENCE_S = 3.0
NO_MODEL = "MODEL"
"""What stands in a snippet whose model nobody knows."""


async def find_place(target: Target, model: str | None, *, key_variable: str = KEY_VARIABLE) -> tuple[Place, str]:
    """Return the place for a model, the first that the gateway lists when none is named; and what went wrong, if any.

    A snippet is of use although the gateway does not run yet, so nothing is raised.
    """
    rows, wrong = await _models(target)
    names = [str(row.get("id")) for row in rows]
    if model is not None and names and model not in names:
        wrong = f"The gateway does not list {model}. It lists: {', '.join(names)}."
    chosen = model or next(iter(names), NO_MODEL)
    lengths = {row.get("id"): row.get("max_model_len") for row in rows}
    length = lengths.get(chosen)
    tokens = length if isinstance(length, int) else DEFAULT_CONTEXT_TOKENS
    return Place(target.url, chosen, key_variable, tokens), wrong


async def _models(target: Target) -> tuple[list[dict[str, object]], str]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            listing = await Client(target).get("/v1/models", patience_s=PATIENCE_S)
    except TimeoutError:
        return [], f"The gateway at {target.url} does not answer; the model is not checked."
    except Fault as fault:
        return [], str(fault)
    rows = listing.get("data") if isinstance(listing, dict) else None
    return [row for row in rows if _is_named(row)] if isinstance(rows, list) else [], ""


def _is_named(row: object) -> bool:
    """Say whether a row has a name that can stand in a file and on a terminal, and steer neither."""
    name = row.get("id") if isinstance(row, dict) else None
    return isinstance(name, str) and name.isprintable()
