"""`X-Cache` and `Age`."""

from vllm_gateway.cache.telling import Mark, marked


def test_a_reply_says_once_where_it_came_from() -> None:
    """Whatever was said of an earlier try is taken back; other headers stay."""
    told = marked([(b"x-ratelimit", b"1")], Mark.MISS)
    assert told == [(b"x-ratelimit", b"1"), (b"x-cache", b"miss")]
    assert marked(told, Mark.HIT, age_s=3) == [(b"x-ratelimit", b"1"), (b"x-cache", b"hit"), (b"age", b"3")]


def test_where_nothing_is_kept_nothing_is_said() -> None:
    """The headers stay as they are."""
    assert marked([(b"a", b"b")], Mark.NONE) == [(b"a", b"b")]
