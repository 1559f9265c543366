"""What one caller learns of another, and what anybody learns of secrets: nothing."""

import asyncio
import logging

import pytest
from pydantic import SecretStr

from tests.gateway import gateway
from tests.scripted import Visit, as_replica, scripted
from tests.wire.sims import asked, fast, fleet
from vllm_gateway import codec
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.settings.admission import Auth
from vllm_gateway.settings.model import Upstream

CHAT = "/v1/chat/completions"
ANN, BOB = "ann-0123456789", "bob-0123456789"
AUTH = {"mode": "keys", "client_keys": [ANN, BOB]}
HELLO = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"authorization": f"Bearer {key}"}


async def test_what_belongs_to_another_does_not_exist() -> None:
    """S-13: sessions and responses of another key are answered like those that nobody has, whatever is done to them."""
    async with fleet(auth=AUTH) as (_, door):
        session = (await door.http.post("/v1/sessions", json={}, headers=bearer(ANN))).json()["id"]
        said = {"model": "sim-small", "input": "Hello", "max_output_tokens": 2}
        response = (await door.http.post("/v1/responses", json=said, headers=bearer(ANN))).json()["id"]
        nobodys = {session: "sess_" + "0" * 32, response: "resp_" + "0" * 32}
        calls = [
            ("GET", f"/v1/sessions/{session}", None),
            ("PATCH", f"/v1/sessions/{session}", {"title": "mine"}),
            ("DELETE", f"/v1/sessions/{session}", None),
            ("GET", f"/v1/sessions/{session}/messages", None),
            ("GET", f"/v1/sessions/{session}/export", None),
            ("POST", f"/v1/sessions/{session}/chat", {"message": "Hello"}),
            ("GET", f"/v1/responses/{response}", None),
            ("DELETE", f"/v1/responses/{response}", None),
            ("POST", "/v1/responses", {**said, "previous_response_id": response}),
        ]
        for method, path, body in calls:
            theirs = await door.http.request(method, path, json=body, headers=bearer(BOB))
            nobody_path, nobody_text = path, theirs.text
            nobody_body = codec.dumps(body).decode() if body else ""
            for owned, nobody in nobodys.items():
                nobody_path = nobody_path.replace(owned, nobody)
                nobody_text = nobody_text.replace(owned, nobody)
                nobody_body = nobody_body.replace(owned, nobody)
            none = await door.http.request(
                method, nobody_path, content=nobody_body, headers={**bearer(BOB), "content-type": "application/json"}
            )
            assert (theirs.status_code, none.status_code) == (404, 404), (method, path)
            assert none.text == nobody_text
        assert (await door.http.get(f"/v1/sessions/{session}", headers=bearer(ANN))).json()["title"] is None
        assert (await door.http.get("/v1/sessions", headers=bearer(BOB))).json()["data"] == []


@pytest.mark.parametrize("fault", [TimeoutError, OSError, RuntimeError, ValueError, asyncio.CancelledError, KeyError])
async def test_whatever_goes_wrong_nobody_is_let_in(fault: type[BaseException]) -> None:
    """S-06: an exception on the way to the answer whether a key is right is never the answer yes."""

    async def check(_: bytes) -> bool:
        await asyncio.sleep(0)
        raise fault

    keys = Keys(Auth(mode="upstream"), check=check)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - which one it is does not matter
        await keys.admit([(b"authorization", b"Bearer x-0123456789")], "127.0.0.1")
    assert not keys.is_known("x-0123456789")
    await keys.close()


async def test_a_caller_who_leaves_while_its_key_is_checked_is_not_known() -> None:
    """S-06: cancelled at any point, the question leaves nobody admitted who was not found to be right."""
    asking: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def check(_: bytes) -> bool:
        return await asking

    keys = Keys(Auth(mode="upstream"), check=check)
    for steps in range(4):
        task = asyncio.get_running_loop().create_task(keys.admit([(b"x-api-key", b"x-0123456789")], "127.0.0.1"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not keys.is_known("x-0123456789")
    await keys.close()


async def test_secrets_and_words_stay_out_of_logs_and_errors(caplog: pytest.LogCaptureFixture) -> None:
    """S-16: canaries in keys, prompts, answers and headers turn up in no log line at any level, and in no error."""
    caplog.set_level(logging.DEBUG)
    key, upstream_key, prompt, answer, header = (f"canary-{name}-0123456789" for name in ("k", "u", "p", "a", "h"))

    async def misbehave(visit: Visit, request: bytes) -> None:
        assert upstream_key.encode() in request
        if b"status 500" in request:
            await visit.say_json(answer.encode(), "500 Internal Server Error")
        elif b"nonsense" in request:
            await visit.say_json(b'{"broken": "' + answer.encode())
        else:
            visit.reset()
            raise ConnectionError

    auth = {"mode": "keys", "client_keys": [key]}
    async with scripted(as_replica(misbehave)) as replica:
        upstream = Upstream(url=replica.url, api_key=SecretStr(upstream_key))
        async with gateway(upstream, auth=auth, log_level="debug", retry={"attempts": 1}) as door:
            bodies = [
                {"model": "scripted", "messages": [{"role": "user", "content": f"{prompt} {way}"}]}
                for way in ("status 500", "nonsense", "reset")
            ]
            bodies += [{"model": "nope", "messages": prompt}, {"model": "scripted", "n": prompt}]
            texts = []
            for sent in (key, f"{key}-wrong"):
                for body in bodies:
                    reply = await door.http.post(CHAT, json=body, headers={**bearer(sent), "x-note": header})
                    texts.append(reply.text if reply.status_code != 200 else "")
            texts.append((await door.http.get("/health")).text)
    for canary in (key, upstream_key, prompt, answer, header):
        assert canary not in caplog.text
        assert all(canary not in text for text in texts)


async def test_a_session_id_is_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """S-16: the id of a session of the first shape is a credential, and is not written down."""
    caplog.set_level(logging.DEBUG)
    async with fleet(fast()) as ((sim,), door):
        session = (await door.http.post("/init_session", json={"vllm_api_key": "EMPTY"})).json()["session_id"]
        await door.http.post("/chat", json={"session_id": session, "message": "Hello", "max_tokens": 2})
        await door.http.post("/stop_session", json={"session_id": session})
        assert session not in str(asked(sim))
    assert session not in caplog.text
