"""Questions to a gateway: JSON in, JSON or events out."""

from collections.abc import AsyncGenerator
from typing import Any

from vllm_gateway import codec
from vllm_gateway.terminal.api.events import Events
from vllm_gateway.terminal.api.faults import StreamBroken, Unreachable, refused
from vllm_gateway.terminal.api.target import Target
from vllm_gateway.terminal.api.wire import Answer, asking

PATIENCE_S = 30.0
"""How long an answer that is not generated may take to begin."""
_OK = range(200, 300)
_DONE = b"[DONE]"


class Client:
    """Asks one gateway. It holds no connection between two questions, so there is nothing to close or to renew."""

    def __init__(self, target: Target) -> None:
        self.target = target

    async def get(self, path: str, *, patience_s: float = PATIENCE_S) -> Any:  # noqa: ANN401 - JSON is any of its types
        """Return the JSON of a page; raise a `Fault` when there is none."""
        return await self.ask("GET", path, patience_s=patience_s)

    async def post(self, path: str, body: object, *, patience_s: float | None = PATIENCE_S) -> Any:  # noqa: ANN401 - as above
        """Send JSON and return the JSON that answers it; raise a `Fault` when none does."""
        return await self.ask("POST", path, body, patience_s=patience_s)

    async def ask(self, method: str, path: str, body: object = None, *, patience_s: float | None = PATIENCE_S) -> Any:  # noqa: ANN401 - as above
        """Ask by any method and return the JSON of the answer; raise a `Fault` when there is none."""
        text = await self.text(method, path, body, patience_s=patience_s)
        try:
            return codec.loads(text)
        except codec.MalformedJson:
            raise Unreachable(f"What answers at {self.target.url} is no vllm-gateway. Is the address right?") from None

    async def text(
        self, method: str, path: str, body: object = None, *, patience_s: float | None = PATIENCE_S
    ) -> bytes:
        """Ask and return the bytes of the answer, whatever they are; raise a `Fault` when it is no success."""
        sent = None if body is None else codec.dumps(body)
        async with asking(self.target, method, path, sent, patience_s=patience_s) as answer:
            await _demand_success(answer)
            return await answer.whole()

    async def stream(self, path: str, body: object) -> AsyncGenerator[dict[str, Any]]:
        """Ask for a streamed answer and give each event; it ends only when the gateway says that it is complete.

        Whoever leaves early closes the generator (`contextlib.aclosing`): the gateway stops generating then.

        Raises:
            Refused: the gateway said no, before or while it answered.
            StreamBroken: it ended without its end.
            Unreachable: there was no answer at all.
        """
        async with asking(self.target, "POST", path, codec.dumps(body), patience_s=None) as answer:
            await _demand_success(answer)
            events = Events()
            async for part in answer.parts():
                for data in events.feed(part):
                    if data == _DONE:
                        return
                    yield _event(data, answer)
        raise StreamBroken("The answer broke off before its end.")


async def _demand_success(answer: Answer) -> None:
    if answer.status not in _OK:
        raise refused(answer.status, answer.headers, await answer.whole())


def _event(data: bytes, answer: Answer) -> dict[str, Any]:
    try:
        event = codec.loads(data)
    except codec.MalformedJson:
        raise StreamBroken("The answer holds something that is no JSON.") from None
    if not isinstance(event, dict):
        raise StreamBroken("The answer holds something that is no event.")
    if event.get("error"):
        raise refused(answer.status, answer.headers, data)
    return event
