"""What a refusal says."""

from vllm_gateway.terminal.api.faults import refused


def test_a_refusal_is_the_gateways_own_sentence() -> None:
    """Message, code and the time to wait come from the answer; milliseconds are taken before seconds."""
    body = b'{"error": {"message": "Too many requests.", "code": "rate_limit_exceeded"}}'
    fault = refused(429, {"retry-after": "2", "retry-after-ms": "1500"}, body)
    assert (str(fault), fault.status, fault.code, fault.retry_after_s) == (
        "Too many requests.",
        429,
        "rate_limit_exceeded",
        1.5,
    )


def test_a_page_of_something_else_is_told_by_its_status() -> None:
    """What is no JSON, or has no error in it, is never shown."""
    for body in (b"<html>nginx</html>", b"[]", b'{"error": "text"}', b'{"error": {"message": 1}}'):
        fault = refused(502, {"retry-after": "soon"}, body)
        assert str(fault) == "The gateway answered with status 502 and no reason. Is it a vllm-gateway?"
        assert fault.retry_after_s is None
