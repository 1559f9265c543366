"""The closed list of outcomes."""

from vllm_gateway.outcomes import Outcome


def test_an_outcome_is_its_own_word() -> None:
    """Code, metrics and logs say the same word: the name in lower case."""
    assert [outcome.value for outcome in Outcome] == [outcome.name.lower() for outcome in Outcome]
    assert f"{Outcome.OK_RETRIED}" == "ok_retried"


def test_the_list_is_closed() -> None:
    """A word that is not on the list is no outcome; dashboards are built on these."""
    assert {outcome.value for outcome in Outcome} == {
        "ok",
        "ok_retried",
        "ok_resumed",
        "client_gone",
        "refused_limit",
        "refused_overload",
        "upstream_error",
        "upstream_truncated",
        "timeout",
        "bad_request",
        "auth",
        "internal_error",
    }
