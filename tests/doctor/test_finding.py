"""What one look has found."""

from vllm_gateway.doctor.finding import fail, has_failed, ok, warn


def test_only_what_keeps_the_gateway_from_its_work_is_a_failure() -> None:
    """A warning leaves the exit status at 0."""
    assert not has_failed([ok("a", "b"), warn("a", "b", "c")])
    assert has_failed([ok("a", "b"), fail("a", "b", "c")])
