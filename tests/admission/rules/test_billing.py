"""Claude Code's accounting line."""

import pytest

from tests.admission.rules.bodies import CHAT, MESSAGES, understood
from vllm_gateway.admission.rules.billing import system_without_billing

LINE = "x-anthropic-billing-header: cc_version=2.1.77.abc; cc_entrypoint=cli; cch=0f3a1;"
BLOCK = {"type": "text", "text": LINE}
REST = {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}}
BOTH_ROUTES = pytest.mark.parametrize("path", [MESSAGES, "/v1/messages/count_tokens"])


@BOTH_ROUTES
@pytest.mark.parametrize(
    ("system", "rest"),
    [
        ([BLOCK, REST], [REST]),
        ([BLOCK], []),
        ([{**REST, "text": LINE + "\nYou are Claude Code."}, REST], [REST, REST]),
        (LINE + "\n\nYou are Claude Code.\nBe brief.", "You are Claude Code.\nBe brief."),
        (LINE, ""),
    ],
)
def test_the_line_is_taken_out(path: str, system: object, rest: object) -> None:
    """As a block of its own and as the first line of a text; all else stays."""
    assert system_without_billing(understood(path, system=system)) == rest


@BOTH_ROUTES
@pytest.mark.parametrize(
    "system",
    [None, "", "You are " + LINE, [], [7], [REST], [REST, BLOCK], [{"type": "text"}], [{"text": 7}], 7, {"text": LINE}],
)
def test_what_does_not_begin_with_it_stays(path: str, system: object) -> None:
    """Whatever it is; a caller may well speak of the line."""
    assert system_without_billing(understood(path, system=system)) is None


def test_other_routes_have_no_such_line() -> None:
    """A chat's messages are the caller's own words."""
    assert system_without_billing(understood(CHAT, system=LINE)) is None
