"""A conversation call by call, as `curl` makes it: for whoever writes a client of their own."""

import shlex
from dataclasses import dataclass
from typing import Any

from vllm_gateway import codec
from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.target import Target
from vllm_gateway.terminal.ask.printing import Paper
from vllm_gateway.terminal.ask.question import Question

_SYSTEM = "You are brief."
KEY = "$VLLM_GATEWAY_API_KEY"
"""What stands for the key in what is printed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API."""

    says: str
    method: str
    path: str
    body: dict[str, Any] | None = None


async def walk(client: Client, question: Question, paper: Paper) -> None:
    """Begin a session, tell it how to answer, say something, read what was said, end it; show each call and reply."""
    begun = Call("Begin a session.", "POST", "/v1/sessions", {"model": question.model} if question.model else {})
    session = (await _made(client, 1, begun, paper))["id"]
    place = f"/v1/sessions/{session}"
    said = {"message": question.text, **question.parameters.body()}
    for number, call in enumerate(
        (
            Call("Set its system prompt.", "PATCH", place, {"system_prompt": question.system or _SYSTEM}),
            Call("Say something. The gateway adds what was said before.", "POST", f"{place}/chat", said),
            Call("Read what was said.", "GET", f"{place}/messages"),
            Call("End it; all that was said is deleted.", "DELETE", place),
        ),
        start=2,
    ):
        await _made(client, number, call, paper)


async def _made(client: Client, number: int, call: Call, paper: Paper) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Make a call and show it, first what is asked, then what is answered."""
    paper.write(f"# {number}. {call.says}\n{curl(client.target, call)}\n")
    paper.flush()
    reply = await client.ask(call.method, call.path, call.body, patience_s=None)
    paper.write(f"{codec.dumps_pretty(reply).decode()}\n")
    paper.flush()
    return reply


def curl(target: Target, call: Call) -> str:
    """Return the command that makes a call; the key is named, never shown."""
    lines = [f"curl -s -X {call.method} {shlex.quote(target.url + call.path)}"]
    if target.key:
        lines.append(f'-H "Authorization: Bearer {KEY}"')
    if call.body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(codec.dumps(call.body).decode())}"]
    return " \\\n  ".join(lines)
