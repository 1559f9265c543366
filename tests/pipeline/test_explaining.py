"""Who gets to know how its replica was chosen."""

import pytest

from tests.exchanges import exchange
from vllm_gateway.callers import Caller
from vllm_gateway.exchange import Headers
from vllm_gateway.pipeline.explaining import Explaining, explaining_to
from vllm_gateway.settings.admission import Auth

NAMES = {"key-1": "ops", "key-2": "app"}


def begun(who: tuple[str, ...], caller: str = "", address: str = "", query: bytes = b"explain=1") -> bool:
    """Say whether an exchange gets an explanation."""
    one = exchange()
    one.caller, one.address, one.query = Caller(caller), address, query
    Explaining(who, lambda: NAMES).begin(one)
    return one.trail.explanation is not None


@pytest.mark.parametrize(
    ("query", "headers", "asked"),
    [
        (b"explain=1", [], True),
        (b"beta=true&explain=1", [], True),
        (b"", [(b"x-explain", b"1")], True),
        (b"", [(b"x-explain", b"true")], True),
        (b"", [], False),
        (b"explain=0", [], False),
        (b"unexplain=1", [], False),
        (b"explain=10", [(b"x-explain", b"0")], False),
    ],
)
def test_it_is_asked_for_in_the_query_or_in_a_header(query: bytes, headers: Headers, asked: bool) -> None:
    """Anything else asks for nothing."""
    one = exchange()
    one.caller, one.query, one.headers = Caller("key-1"), query, headers
    Explaining(["ops"], lambda: NAMES).begin(one)
    assert (one.trail.explanation is not None) is asked


def test_a_key_is_known_by_its_name_or_by_the_id_of_its_caller() -> None:
    """Others get none, whatever they are called; `local` is no key."""
    assert begun(("ops",), "key-1")
    assert begun(("key-1",), "key-1")
    assert begun(("key-3",), "key-3")
    assert not begun(("ops",), "key-2")
    assert not begun(("ops",), "key-3")
    assert not begun(("local",), "key-1", "127.0.0.1")


@pytest.mark.parametrize(
    ("address", "is_local"),
    [("127.0.0.1", True), ("::1", True), ("127.9.9.9", True), ("10.0.0.1", False), ("", False), ("localhost", False)],
)
def test_local_is_who_calls_from_this_machine(address: str, is_local: bool) -> None:
    """By the address of the connection, which nobody can write into a header."""
    assert begun(("local",), address=address) is is_local


def test_nobody_is_told_unless_somebody_is_named() -> None:
    """Where keys are asked for, `local` names nobody: who comes without one has a session's id at best."""
    assert explaining_to(Auth(), dict) is None
    assert explaining_to(Auth(mode="keys", explain_to=("local",)), dict) is None
    assert explaining_to(Auth(explain_to=("local",)), dict) is not None
    assert explaining_to(Auth(mode="keys", explain_to=("ops",)), dict) is not None
