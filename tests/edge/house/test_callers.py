"""Who asks, on the routes that have no exchange."""

import pytest
from fastapi import Request

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.callers import ANONYMOUS
from vllm_gateway.edge.house.callers import admitting, unless
from vllm_gateway.errors import KeyRefused
from vllm_gateway.settings.admission import Auth


def request(*headers: tuple[bytes, bytes]) -> Request:
    """Return a request with these headers."""
    return Request({"type": "http", "headers": list(headers)})


async def test_without_keys_everybody_is_the_same() -> None:
    """Whatever is sent."""
    assert await admitting(Keys(Auth()))(request((b"authorization", b"Bearer x"))) == ANONYMOUS


async def test_with_keys_each_key_is_a_caller() -> None:
    """And nobody else gets in."""
    admit = admitting(Keys(Auth.model_validate({"mode": "keys", "client_keys": ["sk-aaaaaaaa", "sk-bbbbbbbb"]})))
    one = await admit(request((b"authorization", b"Bearer sk-aaaaaaaa")))
    other = await admit(request((b"x-api-key", b"sk-bbbbbbbb")))
    assert len({one, other, ANONYMOUS}) == 3
    with pytest.raises(KeyRefused):
        await admit(request())


async def test_a_route_that_is_open_asks_nobody() -> None:
    """As long as it is; then it is the key's turn again."""
    is_open = True
    admit = unless(admitting(Keys(Auth.model_validate({"mode": "keys"}))), lambda: is_open)
    assert await admit(request()) == ANONYMOUS
    is_open = False
    with pytest.raises(KeyRefused):
        await admit(request())
