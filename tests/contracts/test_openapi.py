"""The description of the routes, held against a running gateway by a fuzzer that believes every word of it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.hooks import EMBEDDING_MODELS, MODEL
from tests.wire.sims import fast, fleet

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@pytest.mark.timeout(120)
async def test_the_gateway_is_as_it_describes_itself() -> None:
    """B-08, B-09: good bodies and bad ones, by themselves and in a row: no 5xx, and no answer that is not described."""
    replica = fast(models=(MODEL,), embedding_models=EMBEDDING_MODELS)
    auth = {"mode": "keys", "client_keys": ("a-key-of-the-test",)}
    async with fleet(replica, auth=auth) as ((sim,), door):
        command = [sys.executable, "-m", "schemathesis.cli"]
        command += ["--config-file", str(HERE / "schemathesis.toml"), "run", f"{door.url}/openapi.json"]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
        answered = {seen.target for seen in sim.log.requests if seen.status == 200}
        assert {"/v1/chat/completions", "/v1/embeddings", "/tokenize"} <= answered
