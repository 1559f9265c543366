"""Requests that take replicas down with them."""

from vllm_gateway.clock import HandClock
from vllm_gateway.upstream.quarantine import FORGOTTEN_AFTER_S, MOST_SUSPECTS, Quarantine

DEADLY, HARMLESS = b'{"n":-1}', b'{"n":1}'


def test_what_took_two_replicas_down_is_not_sent_to_a_third() -> None:
    """The same one twice is still one, and other requests go on."""
    quarantine = Quarantine(clock=HandClock())
    for name, is_banned in (("a-1", False), ("a-1", False), ("a-2", True)):
        quarantine.suspect(DEADLY, name)
        assert quarantine.is_banned(DEADLY) is is_banned
    assert not quarantine.is_banned(HARMLESS)


def test_it_is_forgotten_after_a_while() -> None:
    """Counted from the last time it did so."""
    clock = HandClock()
    quarantine = Quarantine(clock=clock)
    quarantine.suspect(DEADLY, "a-1")
    clock.move(FORGOTTEN_AFTER_S - 1)
    quarantine.suspect(DEADLY, "a-2")
    clock.move(FORGOTTEN_AFTER_S - 1)
    assert quarantine.is_banned(DEADLY)
    clock.move(1)
    assert not quarantine.is_banned(DEADLY)
    quarantine.suspect(DEADLY, "a-3")
    assert not quarantine.is_banned(DEADLY)


def test_a_replica_that_died_long_ago_does_not_count() -> None:
    """Two innocent accidents far apart are no pattern."""
    clock = HandClock()
    quarantine = Quarantine(clock=clock)
    quarantine.suspect(DEADLY, "a-1")
    clock.move(FORGOTTEN_AFTER_S)
    quarantine.suspect(DEADLY, "a-2")
    assert not quarantine.is_banned(DEADLY)


def test_what_was_answered_is_above_suspicion() -> None:
    """Whatever the replica died of, it was something else."""
    quarantine = Quarantine(clock=HandClock())
    quarantine.suspect(HARMLESS, "a-1")
    quarantine.suspect(DEADLY, "a-1")
    quarantine.acquit(HARMLESS)
    for body in (HARMLESS, DEADLY):
        quarantine.suspect(body, "a-2")
    assert not quarantine.is_banned(HARMLESS)
    assert quarantine.is_banned(DEADLY)
    quarantine.acquit(DEADLY)
    assert not quarantine.is_banned(DEADLY)


def test_suspicions_that_are_too_old_are_dropped_when_something_is_answered() -> None:
    """From then on no body is hashed any more."""
    clock = HandClock()
    quarantine = Quarantine(clock=clock)
    for body in (HARMLESS, DEADLY):
        quarantine.suspect(body, "a-1")
    clock.move(FORGOTTEN_AFTER_S)
    quarantine.acquit(b"something else")
    assert not quarantine._suspects


def test_only_so_many_are_remembered() -> None:
    """The oldest are forgotten first, suspects and banned ones alike."""
    quarantine = Quarantine(clock=HandClock())
    bodies = [b"%d" % number for number in range(MOST_SUSPECTS + 1)]
    for body in bodies:
        quarantine.suspect(body, "a-1")
    for body in bodies:
        quarantine.suspect(body, "a-2")
    assert not quarantine.is_banned(bodies[0])
    quarantine = Quarantine(clock=HandClock())
    for body in bodies:
        quarantine.suspect(body, "a-1")
        quarantine.suspect(body, "a-2")
    assert [quarantine.is_banned(body) for body in bodies].count(False) == 1
    assert not quarantine.is_banned(bodies[0])


def test_replicas_that_go_together_had_another_reason() -> None:
    """Each was at work on a copy of its own; within one exchange it is the request that went from one to the other."""
    clock = HandClock()
    quarantine = Quarantine(clock=clock)
    quarantine.suspect(DEADLY, "a-1", "x1")
    quarantine.suspect(DEADLY, "a-2", "x2")
    assert not quarantine.is_banned(DEADLY)
    quarantine.suspect(DEADLY, "a-3", "x2")
    assert quarantine.is_banned(DEADLY)
