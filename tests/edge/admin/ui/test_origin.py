"""Which page a request comes from."""

import pytest

from vllm_gateway.edge.admin.ui.origin import check_own_page, cookie_name, cookies_in
from vllm_gateway.errors import Refusal

HOST, OWN = (b"host", b"127.0.0.1:8081"), (b"x-gateway-ui", b"1")
ORIGIN = (b"origin", b"http://127.0.0.1:8081")


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", [HOST, OWN]),
        ("GET", [HOST, OWN, ORIGIN]),
        ("POST", [HOST, OWN, ORIGIN]),
        ("DELETE", [HOST, OWN, (b"origin", b"https://127.0.0.1:8081")]),
    ],
)
def test_our_own_page_is_known(method: str, headers: list[tuple[bytes, bytes]]) -> None:
    """By the header that only its scripts send, and by its origin where browsers tell one."""
    check_own_page(method, headers)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", [HOST]),
        ("GET", [HOST, OWN, (b"origin", b"http://127.0.0.1:3000")]),
        ("POST", [HOST, ORIGIN]),
        ("POST", [HOST, OWN]),
        ("DELETE", [HOST, OWN]),
        ("POST", [HOST, OWN, (b"origin", b"null")]),
        ("POST", [HOST, OWN, ORIGIN, (b"origin", b"http://evil.example")]),
        ("POST", [HOST, OWN, (b"origin", b"http://evil.example/?127.0.0.1:8081")]),
    ],
)
def test_other_pages_are_refused(method: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Also those of other servers on the same machine, for which browsers send the same cookies."""
    with pytest.raises(Refusal):
        check_own_page(method, headers)


def test_each_port_has_a_cookie_of_its_own() -> None:
    """Two gateways on one machine do not log each other out."""
    assert cookie_name([HOST]) == "gateway_ui_8081"
    assert cookie_name([(b"host", b"[::1]:9000")]) == "gateway_ui_9000"
    assert cookie_name([(b"host", b"localhost")]) == "gateway_ui_80"


def test_cookies_are_found_by_their_whole_name() -> None:
    """Among others, in one header or in several."""
    headers = [(b"cookie", b"a=1; gateway_ui_80=x.y ; b_gateway_ui_80=2"), (b"cookie", b"gateway_ui_80=z")]
    assert cookies_in(headers, "gateway_ui_80") == [b"x.y", b"z"]
    assert cookies_in([HOST], "gateway_ui_80") == []
