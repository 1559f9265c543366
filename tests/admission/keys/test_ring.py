"""Who may come in."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.admission.keys.making import WALL, ListStore, made
from vllm_gateway.admission.keys.record import caller_id
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.keys.secret import digest, mint
from vllm_gateway.admission.keys.sent import MAX_KEY_BYTES
from vllm_gateway.admission.keys.throttle import WRONG_KEYS
from vllm_gateway.callers import ANONYMOUS, Allowance, Caller, Priority
from vllm_gateway.clock import HandClock
from vllm_gateway.errors import KeyRefused, KeysThrottled, KeysUnchecked
from vllm_gateway.exchange import Head, Headers
from vllm_gateway.settings.admission import Auth

ANN, BOB = "sk-ann-0123456789", "sk-bob-0123456789"
HERE = "192.0.2.1"
AUTH = Auth(mode="keys", client_keys=(SecretStr(ANN), SecretStr(BOB)))
OPEN = Keys(Auth())


def _keys(**parts: Any) -> Keys:  # noqa: ANN401 - any part of the keys
    return Keys(AUTH, **parts)


def _caller(key: str) -> Caller:
    return Caller(caller_id(digest(key.encode())))


def _with(key: str | bytes) -> Headers:
    return [(b"authorization", b"Bearer " + (key.encode() if isinstance(key, str) else key))]


async def _refused(keys: Keys, headers: Headers, address: str = HERE) -> str:
    with pytest.raises(KeyRefused) as caught:
        await keys.admit(headers, address)
    assert caught.value.status == 401
    return caught.value.message


async def test_each_key_is_a_caller_of_its_own() -> None:
    """Two keys are two callers, and neither id tells anything of the key."""
    keys = _keys()
    assert await keys.admit(_with(ANN), HERE) == _caller(ANN)
    assert await keys.admit([(b"x-api-key", BOB.encode())], HERE) == _caller(BOB)
    assert _caller(ANN) != _caller(BOB)


async def test_keys_that_begin_alike_are_callers_of_their_own() -> None:
    """S-07: keys that share their first 8, 20 or 40 characters are told apart."""
    alike = [f"{'k' * same}{number}{'x' * (44 - same)}" for same in (8, 20, 40) for number in range(2)]
    keys = Keys(Auth(mode="keys", client_keys=tuple(map(SecretStr, alike))))
    assert len({(await keys.admit(_with(key), HERE)).id for key in alike}) == len(alike)


async def test_who_sends_no_key_is_told_how_and_is_not_counted() -> None:
    """Without a key the sentence says where it goes, as often as it takes."""
    keys = _keys()
    for _ in range(WRONG_KEYS + 10):
        assert "Authorization: Bearer KEY" in await _refused(keys, [(b"host", b"h")])


@pytest.mark.parametrize(
    "key",
    [b"sk-ann-012345678", b"sk-ann-01234567890", b"SK-ANN-0123456789", b"\xff\xfe\x00", "ключ".encode(), b"x" * 60_000],
    ids=lambda key: str(key[:20]),
)
async def test_a_wrong_key_is_refused(key: bytes) -> None:
    """A key that is not known is refused, whatever its bytes, and the sentence does not repeat it."""
    keys = _keys()
    for headers in ([(b"x-api-key", key)], _with(key)):
        sentence = await _refused(keys, headers)
        assert "not one that is known" in sentence
        assert "sk-" not in sentence.lower()


async def test_any_right_key_among_several_headers_admits() -> None:
    """A library that sends a placeholder in one header does not spoil the right key in another."""
    keys = _keys()
    assert await keys.admit([*_with("EMPTY"), (b"x-api-key", BOB.encode())], HERE) == _caller(BOB)
    twice = [(b"x-api-key", b"a"), (b"x-api-key", b"b"), (b"api-key", ANN.encode())]
    assert await keys.admit(twice, HERE) == _caller(ANN)


async def test_without_keys_everybody_is_the_same() -> None:
    """With the mode `none` nobody is asked, whatever is sent, and no key is known, not even a configured one."""
    assert await OPEN.admit([], HERE) is ANONYMOUS
    assert await OPEN.admit(_with("anything"), HERE) is ANONYMOUS
    assert await OPEN.admit_key("anything", HERE) is ANONYMOUS
    shut_off = Keys(Auth(mode="none", client_keys=(SecretStr(ANN),)), store=ListStore(is_broken=True))
    await shut_off.open()
    await shut_off.refresh()
    await shut_off.close()
    assert not shut_off.are_asked_for
    assert not shut_off.is_known(ANN)


async def test_a_bare_key_can_be_asked_about() -> None:
    """A key from a body is known or not; text that no header could carry is not."""
    keys = _keys()
    assert keys.is_known(ANN)
    wrong = ("", ANN[:-1], f" {ANN}", "ключ", "\ud800", "x" * (MAX_KEY_BYTES + 1))
    assert not any(keys.is_known(key) for key in wrong)
    assert await keys.admit_key(ANN, HERE) == _caller(ANN)
    for key in wrong:
        with pytest.raises(KeyRefused):
            await keys.admit_key(key, HERE)


def test_keys_are_not_kept() -> None:
    """Only digests stay in memory where they can be printed."""
    assert ANN not in repr(vars(_keys()))


async def test_a_key_of_the_store_has_what_it_was_given() -> None:
    """Its models, its limits and its class; keys of the settings go on beside it."""
    secret, record = made(models=("tiny",), rpm=5, priority=Priority.BATCH)
    keys = _keys(store=ListStore([record]))
    await keys.refresh()
    assert await keys.admit(_with(secret), HERE) == Caller(
        f"key-{record.digest[:16]}", frozenset({"tiny"}), Allowance(requests_per_minute=5), Priority.BATCH
    )
    assert await keys.admit(_with(ANN), HERE) == _caller(ANN)
    assert keys.is_known(secret)


async def test_a_store_that_cannot_be_read_leaves_the_settings_keys() -> None:
    """Others get a 503, for they may be right; one with a wrong checksum is wrong for sure."""
    secret, record = made()
    keys = _keys(store=ListStore([record], is_broken=True))
    await keys.refresh()
    assert await keys.admit(_with(ANN), HERE) == _caller(ANN)
    for key in (secret, mint(), "sk-other-0123456789"):
        with pytest.raises(KeysUnchecked):
            await keys.admit(_with(key), HERE)
    assert not keys.is_known(secret)
    await _refused(keys, _with(f"{secret[:-1]}{'b' if secret[-1] == 'a' else 'a'}"))
    assert await keys.admit([*_with(secret), (b"api-key", BOB.encode())], HERE) == _caller(BOB)


async def test_revoked_expired_mistyped_and_unknown_keys_are_told_the_same() -> None:
    """S-05: nobody learns that a key was one once."""
    clock = HandClock(wall=WALL)
    (gone, gone_record), (over, over_record) = made("gone"), made("over", expires=WALL + 10)
    store = ListStore([gone_record, over_record])
    keys = _keys(store=store, clock=clock)
    await keys.refresh()
    assert keys.is_known(gone)
    assert keys.is_known(over)
    await store.revoke("gone", WALL)
    clock.move(10)
    await keys.refresh()
    told = {await _refused(keys, _with(key)) for key in (gone, over, mint(), f"{gone}x", "sk-0123456789")}
    assert len(told) == 1


async def test_wrong_keys_never_reach_the_store() -> None:
    """S-05 and S-10: however many and whatever they are, the store is asked by the clock only."""
    store = ListStore()
    keys = _keys(store=store)
    await keys.refresh()
    for number in range(1000):
        with pytest.raises((KeyRefused, KeysThrottled)):
            await keys.admit(_with(f"' OR {number}=1 --"), f"198.51.100.{number % 50}")
    assert (store.loads, store.looks) == (1, 0)


async def test_too_many_wrong_keys_are_throttled_and_a_right_one_is_not() -> None:
    """S-10: of a thousand wrong keys twenty are looked at; a right key from there, and all else, comes in."""
    secret, record = made()
    keys = _keys(store=ListStore([record]), clock=HandClock())
    await keys.refresh()
    told: list[type[Exception]] = []
    for number in range(1000):
        with pytest.raises((KeyRefused, KeysThrottled)) as caught:
            await keys.admit(_with(f"sk-guess-{number:08}"), HERE)
        told.append(caught.type)
    assert told == [KeyRefused] * 20 + [KeysThrottled] * 980
    assert await keys.admit(_with(ANN), HERE) == _caller(ANN)
    assert await keys.admit(_with(secret), HERE) == record.caller()
    assert await keys.admit_key(secret, HERE) == record.caller()
    with pytest.raises(KeysThrottled):
        await keys.admit_key("sk-guess-by-body", HERE)
    await _refused(keys, _with("sk-guess-00000001"), "192.0.2.2")


async def test_with_nobody_to_ask_upstream_keys_are_unchecked() -> None:
    """Where replicas are to check keys and none can be asked, the door is shut, also for keys of the settings."""
    keys = Keys(Auth(mode="upstream"))
    with pytest.raises(KeysUnchecked):
        await keys.admit(_with(ANN), HERE)
    assert not keys.is_known(ANN)
    await keys.close()


async def test_upstream_keys_are_asked_about() -> None:
    """A key from a header and one from a body alike."""

    async def check(key: bytes) -> bool | None:
        return key == ANN.encode()

    keys = Keys(Auth(mode="upstream"), check=check)
    assert await keys.admit(_with(ANN), HERE) == Caller(_caller(ANN).id, upstream_key=ANN.encode())
    assert (await keys.admit_key(ANN, HERE)).upstream_key == ANN.encode()
    assert keys.is_known(ANN)
    with pytest.raises(KeyRefused):
        await keys.admit_key(BOB, HERE)
    await keys.close()


NAMES = st.sampled_from([b"authorization", b"x-api-key", b"api-key", b"accept"])
VALUES = st.binary(max_size=40) | st.sampled_from([b"Bearer " + ANN.encode(), BOB.encode(), b"Bearer", b""])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
async def test_headers_admit_an_owner_of_a_key_or_nobody(headers: Headers) -> None:
    """S-05: whatever is sent, a caller comes in only with a known key in a header that is there once."""
    try:
        caller = await _keys().admit(headers, HERE)
    except KeyRefused:
        caller = None
    once = [(name, value) for name, value in headers if [each for each, _ in headers].count(name) == 1]
    owners = [
        _caller(key)
        for name, value in once
        for key in (ANN, BOB)
        if name != b"accept" and value == (b"Bearer " if name == b"authorization" else b"") + key.encode()
    ]
    assert (caller in owners) if owners else (caller is None)


def _median_ns(look: Callable[[str], object], keys: list[str]) -> float:
    times = []
    for key in keys:
        began = time.perf_counter_ns()
        look(key)
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times)


async def test_the_time_of_a_look_tells_nothing() -> None:
    """S-09: a key with 0, 8 or 31 right characters, a revoked one and an unknown one take the same time."""
    secret, record = made()
    revoked, revoked_record = made("revoked")
    store = ListStore([record, revoked_record, *(made(f"k{number}")[1] for number in range(200))])
    keys = _keys(store=store)
    await keys.refresh()
    await store.revoke("revoked", WALL)
    await keys.refresh()
    near = [(secret[:right] + "!" * (len(secret) - right)).encode() for right in (0, 8, 31, 41)]
    samples = [mint().encode(), revoked.encode(), *near]
    rounds = [[_median_ns(keys.is_known, [sample.decode()] * 2000) for sample in samples] for _ in range(5)]
    fastest = [min(column) for column in zip(*rounds, strict=True)]
    assert max(fastest) - min(fastest) < 1000


async def test_what_is_known_of_a_head_is_not_whether_its_key_is_right() -> None:
    """One that comes again is let in, refused and counted as if it had not been seen before."""
    keys, right, wrong = _keys(), Head(_with(ANN)), Head(_with("invented-0123"))
    for _ in range(2):
        assert await keys.admit(right.headers, HERE, right) == _caller(ANN)
    keys.take_over([SecretStr(BOB)])
    with pytest.raises(KeyRefused):
        await keys.admit(right.headers, HERE, right)
    for _ in range(WRONG_KEYS - 1):
        with pytest.raises(KeyRefused):
            await keys.admit(wrong.headers, HERE, wrong)
    with pytest.raises(KeysThrottled):
        await keys.admit(wrong.headers, HERE, wrong)


async def test_other_keys_can_be_taken_over() -> None:
    """Who had one of before only is out, whoever has one of now is in; where no keys are asked for, nothing changes."""
    keys = _keys()
    keys.take_over([SecretStr(BOB)])
    assert await keys.admit(_with(BOB), HERE) == _caller(BOB)
    await _refused(keys, _with(ANN))
    keys.take_over([SecretStr(ANN)])
    assert await keys.admit(_with(ANN), HERE) == _caller(ANN)
    open_door = Keys(Auth())
    open_door.take_over([SecretStr(ANN)])
    assert not open_door.has_any
