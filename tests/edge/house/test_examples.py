"""Examples of answers are like the answers."""

from typing import Any

from tests.wire.sims import fleet
from tests.wire.talking import new, say
from vllm_gateway.edge.house.examples import ANSWERS


def keys(value: Any) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return the shape of a value: its keys, level by level, and the shape of the first of several."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items() if name not in {"usage", "details"}}
    return [keys(value[0])] if isinstance(value, list) and value else None


async def test_examples_have_the_keys_of_real_answers() -> None:
    """All of them, for what people read first: sessions, their messages, health."""
    async with fleet() as (_, door):
        session_id = await new(door, title="t")
        await say(door, session_id)
        own = f"/v1/sessions/{session_id}"
        for path, real in {
            "/v1/sessions": "/v1/sessions",
            "/v1/sessions/{session_id}": own,
            "/v1/sessions/{session_id}/messages": f"{own}/messages",
            "/v1/sessions/{session_id}/export": f"{own}/export",
            "/health": "/health",
            "/api/healthz": "/api/healthz",
            "/livez": "/livez",
            "/readyz": "/readyz",
            "/startupz": "/startupz",
        }.items():
            assert keys((await door.http.get(real)).json()) == keys(ANSWERS["get", path]), path
        begun = await door.http.post("/init_session", json={"vllm_api_key": "x"})
        assert keys(begun.json()) == keys(ANSWERS["post", "/init_session"])
        stopped = await door.http.post("/stop_session", json={"session_id": begun.json()["session_id"]})
        assert keys(stopped.json()) == keys(ANSWERS["post", "/stop_session"])
        assert keys((await door.http.delete(own)).json()) == keys(ANSWERS["delete", "/v1/sessions/{session_id}"])
