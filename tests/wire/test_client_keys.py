"""Keys as those who run a gateway and those who call it meet them."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import openai
import pytest
from pydantic import SecretStr

from tests.gateway import Gateway, gateway
from tests.waiting import PATIENCE_S
from tests.wire.sims import asked, fast, fleet
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import start

CHAT = "/v1/chat/completions"
HELLO = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
WITHIN_S = 5.0


async def keys(path: Path, *arguments: str) -> str:
    """Run `vllm-gateway keys`, as somebody does beside a running gateway, and return what it prints."""
    config = path.with_name("gateway.yaml")
    config.write_text(f"auth: {{mode: keys, keys_file: {path}}}\n")
    command = [sys.executable, "-m", "vllm_gateway", "keys", *arguments, "--config", str(config)]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def status(door: Gateway, key: str, **fields: object) -> int:
    """Return how a request with this key ends."""
    reply = await door.http.post(CHAT, json={**HELLO, **fields}, headers={"authorization": f"Bearer {key}"})
    return reply.status_code


async def becomes(door: Gateway, key: str, wanted: int) -> float:
    """Wait until a key is answered so; return the seconds that took."""
    began = time.perf_counter()
    async with asyncio.timeout(WITHIN_S):
        while await status(door, key) != wanted:  # noqa: ASYNC110 - a test may wait for what tells nobody
            await asyncio.sleep(0.05)
    return time.perf_counter() - began


async def test_a_key_opens_until_it_is_revoked(tmp_path: Path) -> None:
    """S-08: two gateways over one file learn of a new key and of its end within five seconds, without a restart."""
    path = tmp_path / "keys.yaml"
    auth = {"mode": "keys", "keys_file": str(path)}
    async with fleet(auth=auth) as (_, one), fleet(auth=auth) as (_, other):
        assert await status(one, "vgw_nobody") == 401
        secret = await keys(path, "create", "--name", "ann")
        assert secret.startswith("vgw_")
        assert secret not in path.read_text()
        await asyncio.gather(becomes(one, secret, 200), becomes(other, secret, 200))
        assert "ann" in await keys(path, "list")
        assert secret not in await keys(path, "list")
        await keys(path, "revoke", "ann")
        await asyncio.gather(becomes(one, secret, 401), becomes(other, secret, 401))


async def test_a_key_has_models_and_limits_of_its_own(tmp_path: Path) -> None:
    """The list of models shows what the key may ask for, others are refused, and its limit is its own."""
    path = tmp_path / "keys.yaml"
    narrow = await keys(path, "create", "--name", "ann", "--models", "a", "--rpm", "2")
    wide = await keys(path, "create", "--name", "bob")
    auth = {"mode": "keys", "keys_file": str(path)}
    async with fleet(fast(models=("a", "b")), auth=auth) as (_, door):
        async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key=narrow, max_retries=0) as client:
            assert [model.id async for model in client.models.list()] == ["a"]
            with pytest.raises(openai.PermissionDeniedError, match=r"Available: a\."):
                await client.models.retrieve("b")
        assert [await status(door, narrow, model=model) for model in ("b", "a", "a", "a")] == [403, 200, 200, 429]
        assert [await status(door, wide, model=model) for model in ("a", "b", "a", "b")] == [200] * 4
        assert await status(door, wide, model="c") == 404


async def test_every_header_that_clients_use_is_read(tmp_path: Path) -> None:
    """Bearer, X-API-Key and api-key; nowhere else, and not twice."""
    path = tmp_path / "keys.yaml"
    secret = await keys(path, "create", "--name", "ann")
    async with fleet(auth={"mode": "keys", "keys_file": str(path)}) as ((sim,), door):
        for name, value in (("authorization", f"Bearer {secret}"), ("x-api-key", secret), ("api-key", secret)):
            assert (await door.http.post(CHAT, json=HELLO, headers={name: value})).status_code == 200
        assert (await door.http.post(f"{CHAT}?key={secret}", json=HELLO)).status_code == 401
        assert (await door.http.post(CHAT, json=HELLO, headers={"cookie": f"key={secret}"})).status_code == 401
        twice = [("x-api-key", secret), ("x-api-key", secret)]
        assert (await door.http.post(CHAT, json=HELLO, headers=twice)).status_code == 401
        assert len(asked(sim)) == 3
        assert all(secret not in str(seen.headers) for seen in sim.log.requests)


async def test_who_tries_one_key_after_the_other_is_slowed_down(tmp_path: Path) -> None:
    """S-10: wrong keys from one address are refused with 429 after a while; a right one from there is not."""
    path = tmp_path / "keys.yaml"
    secret = await keys(path, "create", "--name", "ann")
    async with fleet(auth={"mode": "keys", "keys_file": str(path)}) as (_, door):
        statuses = [await status(door, f"vgw_wrong{number}") for number in range(60)]
        assert await status(door, secret) == 200
        refused = await door.http.post(CHAT, json=HELLO, headers={"x-api-key": "vgw_wrong"})
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert refused.json()["error"]["code"] == "too_many_wrong_keys"
    assert int(refused.headers["retry-after"]) >= 1


async def test_the_replica_may_know_the_keys() -> None:
    """With `mode: upstream` a request goes with its caller's own key, and each key sees its own sessions."""
    own, wrong = "right-0123456789", "wrong-0123456789"
    sim = await start(fast(api_key=own))
    upstream = Upstream(url=sim.url, api_key=SecretStr(own))
    async with gateway(upstream, auth={"mode": "upstream"}) as door:
        assert await status(door, own) == 200
        assert await status(door, wrong) == 401
        assert (await door.http.post(CHAT, json=HELLO)).status_code == 401
        sent = [seen.header("authorization") for seen in sim.log.requests if seen.target == CHAT]
        begun = await door.http.post("/init_session", json={"vllm_api_key": own})
        refused = await door.http.post("/init_session", json={"vllm_api_key": wrong})
    assert sent == [f"Bearer {own}"]
    assert (begun.status_code, refused.status_code) == (200, 401)
    await sim.close()
