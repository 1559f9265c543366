"""A process that is forked off."""

import os
import signal
import socket

from vllm_gateway.serve.fork import Fork, fork


def ended(process: Fork) -> int:
    """Return the exit status of a process."""
    with process.channel:
        return os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])


def echo(channel: socket.socket) -> int:
    """Say once what is said, and end with 7."""
    channel.sendall(channel.recv(64))
    return 7


def test_what_is_forked_works_and_its_status_is_told() -> None:
    """It speaks over its end of the channel, which closes when it is gone."""
    process = fork(echo, closing=())
    process.channel.sendall(b"hello")
    assert process.channel.recv(64) == b"hello"
    assert process.channel.recv(64) == b""
    assert ended(process) == 7


def test_signals_do_not_reach_it() -> None:
    """Those that a terminal sends to all processes are for the one that watches."""
    process = fork(echo, closing=())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, number)
    process.channel.sendall(b"still there")
    assert process.channel.recv(64) == b"still there"
    assert ended(process) == 7


def test_a_failure_ends_it_with_status_1() -> None:
    """Whatever goes wrong, it never goes on with what the process was doing that forked it."""

    def fail(_: socket.socket) -> int:
        raise RuntimeError

    assert ended(fork(fail, closing=())) == 1


def test_it_lets_go_of_what_is_not_its_own() -> None:
    """The other end of a socket sees its end, although the process that was forked lives on."""
    ours, theirs = socket.socketpair()
    process = fork(echo, closing=(theirs,))
    theirs.close()
    ours.settimeout(10)
    assert ours.recv(1) == b""
    ours.close()
    process.channel.sendall(b"end")
    assert ended(process) == 7
