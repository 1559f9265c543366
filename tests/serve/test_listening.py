"""Sockets that listen."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from vllm_gateway.serve.listening import (
    SPREADS,
    CannotListen,
    check_certificate,
    listen,
    listen_side_by_side,
    url_of,
)

CURE = "Choose another."


def test_a_taken_port_is_told_with_what_helps() -> None:
    """One sentence with the address, and the cure behind it."""
    with listen("127.0.0.1", 0, cure=CURE) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"^Cannot listen on 127\.0\.0\.1:{port}: .*\. Choose another\.$"):
            listen("127.0.0.1", port, cure=CURE)


def test_several_processes_listen_at_one_port() -> None:
    """Connections come to all of their sockets, where the system spreads them."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in listen_side_by_side("127.0.0.1", 0, 2, cure=CURE)]
        (port,) = {each.getsockname()[1] for each in sockets}
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        taken = [0, 0]
        for place, each in enumerate(sockets):
            each.settimeout(0)
            while True:
                try:
                    stack.enter_context(each.accept()[0])
                except BlockingIOError:
                    break
                taken[place] += 1
        assert sum(taken) == 100
        assert min(taken) >= 20 or not SPREADS


def test_a_port_is_not_shared_with_another_gateway() -> None:
    """One that is started twice by mistake would silently take half of the other's connections."""
    with ExitStack() as stack:
        first = [stack.enter_context(each) for each in listen_side_by_side("127.0.0.1", 0, 2, cure=CURE)]
        with pytest.raises(CannotListen):
            listen_side_by_side("127.0.0.1", first[0].getsockname()[1], 2, cure=CURE)


def test_the_address_of_a_socket_can_be_called() -> None:
    """An address of IPv6 stands in brackets."""
    with listen("127.0.0.1", 0, cure=CURE) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    with listen("::1", 0, cure=CURE) as listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_a_certificate_that_cannot_be_used_is_told_with_its_files(tmp_path: Path) -> None:
    """Be it that a file is not there, or that it is something else."""
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for certificate in (str(text), str(tmp_path / "none.pem")):
        with pytest.raises(CannotListen, match=r"edge\.tls_certificate .* with edge\.tls_key /k\.key"):
            check_certificate(certificate, "/k.key")


def test_an_encrypted_address_says_so() -> None:
    """Callers are to see at once how they reach it."""
    with listen("127.0.0.1", 0, cure="") as listener:
        assert url_of(listener, is_encrypted=True).startswith("https://127.0.0.1:")
