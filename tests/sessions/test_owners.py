"""Whose a session is."""

import pytest

from tests.sessions.stores.places import session
from vllm_gateway.sessions.owners import BEARER, EVERYBODY, may_use


@pytest.mark.parametrize(
    ("owner", "caller", "is_bearer", "may"),
    [
        ("key-a", "key-a", False, True),
        ("key-a", "key-b", False, False),
        ("key-a", EVERYBODY, False, False),
        ("key-a", "key-a", True, False),
        (BEARER, "key-a", False, False),
        (BEARER, EVERYBODY, True, True),
        (BEARER, EVERYBODY, False, True),
        (EVERYBODY, EVERYBODY, False, True),
        (EVERYBODY, EVERYBODY, True, True),
        (EVERYBODY, "key-a", False, False),
    ],
)
def test_who_may_use_what(owner: str, caller: str, *, is_bearer: bool, may: bool) -> None:
    """A key's session is that key's only; one of the first shape is for whoever knows its id, on its own routes."""
    assert may_use(session(owner=owner), caller=caller, is_bearer=is_bearer) is may
