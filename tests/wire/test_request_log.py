"""The log of the program itself: a line for each request, and no secret."""

from pathlib import Path

import httpx2

from tests.waiting import until
from tests.wire.programs import program
from tests.wire.sims import fast
from vllm_gateway import codec
from vllm_gateway.sim import start

CHAT = "/v1/chat/completions"
SECRETS = ("client-canary-1234567", "admin-canary-1234567", "replica-canary-1234567", "word-canary-1234567")
WRONG = "wrong-canary-1234567"
NAME = "request-11111111"


async def test_each_request_has_a_line_and_no_line_has_a_secret(tmp_path: Path) -> None:
    """Not even at `debug`: no key, right or wrong, and nothing of what was said."""
    client, admin, replica, word = SECRETS
    settings: dict[str, str] = {
        "GATEWAY_AUTH__MODE": "keys",
        "GATEWAY_AUTH__CLIENT_KEYS": f'["{client}"]',
        "GATEWAY_AUTH__ADMIN_KEY": admin,
        "GATEWAY_ADMIN__PORT": "0",
        "GATEWAY_LOG_LEVEL": "debug",
        "VLLM_API_KEY": replica,
    }
    sim = await start(fast(api_key=replica))
    body = {"model": "sim-small", "messages": [{"role": "user", "content": word}], "max_tokens": 3}
    async with (
        program(tmp_path, sim.url, most_files=4096, **settings) as door,
        httpx2.AsyncClient(base_url=door.url) as http,
    ):
        for key, status in ((client, 200), (WRONG, 401), (client, 200)):
            reply = await http.post(CHAT, json=body, headers={"authorization": f"Bearer {key}", "x-request-id": NAME})
            assert reply.status_code == status
        log = tmp_path / "gateway.log"
        await until(lambda: log.read_text().count('"event":"request"') == 3)
    await sim.close()
    text = log.read_text()
    lines = [codec.loads(line) for line in text.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["status"], line["outcome"], line["completion_tokens"]) for line in requests] == [
        (200, "ok", 3),
        (401, "auth", 0),
        (200, "ok", 3),
    ]
    assert {line["request_id"] for line in requests} == {NAME}
    assert [secret for secret in (*SECRETS, WRONG) if secret in text] == []
