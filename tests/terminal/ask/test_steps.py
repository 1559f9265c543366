"""A conversation call by call."""

import io
import shlex

from tests.terminal.conftest import house
from vllm_gateway import codec
from vllm_gateway.terminal.api import Target
from vllm_gateway.terminal.ask.question import Question
from vllm_gateway.terminal.ask.steps import Call, curl, walk


def test_a_call_can_be_pasted_into_a_shell() -> None:
    """Quotes survive the shell, and the key is named but never shown."""
    said = {"message": 'it\'s "me"\n$HOME'}
    line = curl(Target.at("https://a", "secret"), Call("", "POST", "/v1/x", said))
    words = shlex.split(line.replace("\\\n", ""))
    assert words[:5] == ["curl", "-s", "-X", "POST", "https://a/v1/x"]
    assert codec.loads(words[-1]) == said
    assert "Bearer $VLLM_GATEWAY_API_KEY" in line
    assert "secret" not in line


async def test_each_call_is_shown_with_its_reply() -> None:
    """From the beginning of a session to its end, which leaves nothing behind."""
    paper = io.StringIO()
    async with house() as home:
        await walk(home.client, Question("Hello", system="Be brief."), paper)
        assert (await home.client.get("/v1/sessions"))["data"] == []
    shown = paper.getvalue()
    methods = [line.split()[3] for line in shown.splitlines() if line.startswith("curl")]
    assert methods == ["POST", "PATCH", "POST", "GET", "DELETE"]
    for expected in (
        '"system_prompt": "Be brief."',
        '"finish_reason": "stop"',
        '"in_context": true',
        '"deleted": true',
    ):
        assert expected in shown
