"""What Redis does in one go."""

from dataclasses import fields

import pytest
from redis.asyncio import Redis

from vllm_gateway.sessions.model import Session
from vllm_gateway.sessions.stores import redis_scripts

SCRIPTS = sorted(
    name for name in vars(redis_scripts) if name.isupper() and "redis.call" in str(vars(redis_scripts)[name])
)


def test_scripts_return_the_fields_of_a_session() -> None:
    """In their order."""
    assert tuple(field.name for field in fields(Session)) == redis_scripts.FIELDS


def test_no_message_can_stand_in_the_place_of_a_field() -> None:
    """Messages are named by their place."""
    assert not any(name.isdigit() for name in redis_scripts.FIELDS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_touch_their_own_key_only(name: str) -> None:
    """A cluster runs no others."""
    text: str = vars(redis_scripts)[name]
    assert "KEYS[1]" in text
    assert "KEYS[2]" not in text
    assert all(
        line.partition("redis.call(")[2].partition(",")[2].lstrip().startswith(("key", "KEYS[1]"))
        for line in text.splitlines()
        if "redis.call(" in line
    )


@pytest.mark.servers
@pytest.mark.parametrize("name", SCRIPTS)
async def test_scripts_are_understood(redis_url: str, name: str) -> None:
    """By the server that is there."""
    async with Redis.from_url(redis_url) as client:
        assert await client.script_load(vars(redis_scripts)[name])
