"""What a request's headers announce."""

import pytest

from vllm_gateway.edge.announced import check_announced, request_id
from vllm_gateway.errors import MediaTypeWrong


@pytest.mark.parametrize("value", [b"abcdefgh", b"A-Z_09-x" * 8])
def test_safe_ids_are_kept(value: bytes) -> None:
    """8 to 64 letters, digits, dashes and underscores."""
    assert request_id([(b"x-request-id", value)]) == value.decode()


@pytest.mark.parametrize("value", [b"short", b"x" * 65, b"with space", b"new\nline!", b"d\xc3\xa9j\xc3\xa0-vu-x", b""])
def test_other_ids_are_replaced(value: bytes) -> None:
    """What could not stand in a log or a header safely is not taken over."""
    made = request_id([(b"x-request-id", value)])
    assert made.encode() != value
    assert len(made) == 32


def test_new_ids_differ() -> None:
    """Two requests without an id get two ids."""
    assert request_id([]) != request_id([])


def test_a_body_is_plain_json() -> None:
    """Or not announced at all; anything else, and anything packed, is refused."""
    for name, value in [(b"content-type", b"Application/JSON; charset=utf-8"), (b"content-encoding", b"identity")]:
        check_announced([(name, value)])
    check_announced([])
    for name, value in [(b"content-type", b"text/plain"), (b"content-encoding", b"gzip")]:
        with pytest.raises(MediaTypeWrong):
            check_announced([(name, value)])
