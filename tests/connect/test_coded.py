"""Snippets that are programs: they are run as they are printed."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.wire.programs import CLEAN
from tests.wire.sims import fast, fleet
from vllm_gateway.connect.coded import anthropic, curl, langchain, openai, vercel_ai
from vllm_gateway.connect.place import Place
from vllm_gateway.connect.snippet import Snippet

KEY = "a-key-of-the-tests"
PLACE = Place("http://h:1", "org/model", "MY_KEY", 4096)


async def printed(*command: str) -> str:
    """Run a program whose environment holds the key, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**CLEAN, "MY_KEY": KEY, "NO_PROXY": "127.0.0.1"},
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out.decode()


@pytest.mark.parametrize("client", [openai, anthropic])
async def test_programs_in_python_answer(client: object, tmp_path: Path) -> None:
    """With the key that is asked for, over a real socket."""
    assert callable(client)
    async with fleet(fast(), auth={"mode": "keys", "client_keys": [KEY]}) as (_, door):
        snippet: Snippet = client(Place(str(door.http.base_url).rstrip("/"), "sim-small", "MY_KEY"))
        program = tmp_path / "program.py"
        program.write_text(snippet.text, encoding="utf-8")
        assert len((await printed(sys.executable, str(program))).strip()) > 10


async def test_curl_answers() -> None:
    """The line can be pasted into a shell."""
    async with fleet(fast(), auth={"mode": "keys", "client_keys": [KEY]}) as (_, door):
        snippet = curl(Place(str(door.http.base_url).rstrip("/"), "sim-small", "MY_KEY"))
        assert (await printed("sh", "-c", snippet.text)).endswith("data: [DONE]\n\n")


def test_langchain_asks_for_the_usage() -> None:
    """With an address of one's own it would not."""
    text = langchain(PLACE).text
    compile(text, "snippet", "exec")
    assert "stream_usage=True" in text
    assert 'base_url="http://h:1/v1"' in text


def test_the_ai_sdk_asks_for_the_usage() -> None:
    """And takes the key from the environment."""
    text = vercel_ai(PLACE).text
    assert re.search(r"apiKey: process\.env\.MY_KEY,\n  includeUsage: true,", text)
