"""What became of a wish."""

from vllm_gateway.admission.limits.limiter import Reserved


def test_who_is_refused_by_nothing_is_admitted() -> None:
    """The first meter refuses too, though its place is 0."""
    assert Reserved(((1, 0.0),)).is_admitted
    assert not Reserved(((0, 1.0),), refused_by=0, retry_after_s=1.0).is_admitted
