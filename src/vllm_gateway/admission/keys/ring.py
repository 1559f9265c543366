"""Who may come in: keys of the settings, keys of a store, or keys that the replicas know."""

import hmac
from collections.abc import Iterable, Mapping, Sequence

from pydantic import SecretStr

from vllm_gateway.admission.keys.kept import REFRESH_S, KeptKeys
from vllm_gateway.admission.keys.record import caller_id
from vllm_gateway.admission.keys.secret import digest, has_right_checksum, is_ours
from vllm_gateway.admission.keys.sent import digested, keys_of, no_key, wrong_key
from vllm_gateway.admission.keys.store import KeyStore
from vllm_gateway.admission.keys.throttle import Throttle
from vllm_gateway.admission.keys.upstream import Check, UpstreamKeys
from vllm_gateway.callers import ANONYMOUS, Caller
from vllm_gateway.clock import Clock, SystemClock
from vllm_gateway.errors import KeysUnchecked
from vllm_gateway.exchange import Head, Headers
from vllm_gateway.settings.admission import Auth


class Keys:
    """All keys that open the door, and whom each of them belongs to."""

    def __init__(
        self,
        auth: Auth,
        *,
        store: KeyStore | None = None,
        check: Check | None = None,
        clock: Clock | None = None,
        throttle: Throttle | None = None,
        refresh_s: float = REFRESH_S,
    ) -> None:
        clock = clock or SystemClock()
        self.are_asked_for = auth.mode != "none"
        """Callers need a key."""
        self.throttle = throttle or Throttle(clock)
        """Counts the wrong keys of every address."""
        has_keys = auth.mode == "keys"
        self._configured = _callers(auth.client_keys if has_keys else ())
        self._kept = KeptKeys(store, clock, refresh_s=refresh_s) if has_keys and store is not None else None
        self._upstream = UpstreamKeys(check or _nobody, self.throttle, clock) if auth.mode == "upstream" else None

    @property
    def has_any(self) -> bool:
        """There is somebody who could come in, as far as that is known here."""
        return self._upstream is not None or bool(self._configured) or bool(self._kept)

    @property
    def names(self) -> Mapping[str, str]:
        """What keys are called, by the ids of their callers; those of the settings have no name."""
        return {} if self._kept is None else self._kept.names

    @property
    def faults(self) -> int:
        """How often the place where keys are kept could not be read."""
        return 0 if self._kept is None else self._kept.faults

    async def open(self) -> None:
        """Read the keys of the store, and go on looking at it; one that cannot be read is told in the log."""
        if self._kept is not None:
            await self._kept.open()

    async def close(self) -> None:
        """Look no longer; the store is closed by whoever opened it."""
        if self._kept is not None:
            await self._kept.close()
        if self._upstream is not None:
            await self._upstream.close()

    def take_over(self, client_keys: Iterable[SecretStr]) -> None:
        """Let in whoever has one of these keys of the settings, and nobody any more who had another one of them."""
        if self._upstream is None and self.are_asked_for:
            self._configured = _callers(client_keys)

    async def refresh(self) -> None:
        """Read the keys of the store now: what was just changed there holds at once."""
        if self._kept is not None:
            await self._kept.refresh()

    async def admit(self, headers: Headers, address: str, head: Head | None = None) -> Caller:
        """Return who sent these headers; any one right key among them will do. `head` is theirs, if there is one.

        Raises:
            KeyRefused: there is no key in them, or no right one.
            KeysThrottled: too many wrong ones came from this address; a right one is admitted nevertheless.
            KeysUnchecked: it cannot be found out whether the key is right.
        """
        if not self.are_asked_for:
            return ANONYMOUS
        if self._upstream is not None:
            return await self._upstream.admit(headers, address)
        sent = keys_of(head or Head(headers))
        if not sent:
            raise no_key()
        return self._admit_any(sent, address)

    async def admit_key(self, key: str, address: str) -> Caller:
        """Return who has this key, which came otherwise than in a header; raises what `admit` raises."""
        if not self.are_asked_for:
            return ANONYMOUS
        sent = key.encode("utf-8", "surrogatepass")
        return (
            self._admit_any([digested(sent)], address)
            if self._upstream is None
            else await self._upstream.admit_key(sent, address)
        )

    def is_known(self, key: str) -> bool:
        """Say whether this is a client key, as far as that is known here; where none are asked for, none is known."""
        sent = key.encode("utf-8", "surrogatepass")
        if self._upstream is not None:
            return self._upstream.is_known(sent)
        try:
            return self._owner(digested(sent)) is not None
        except KeysUnchecked:
            return False

    def _admit_any(self, sent: Sequence[tuple[bytes, bytes]], address: str) -> Caller:
        unchecked = None
        for key in sent:
            try:
                caller = self._owner(key)
            except KeysUnchecked as fault:
                unchecked = fault
            else:
                if caller is not None:
                    return caller
        if unchecked is not None:
            raise unchecked
        self.throttle.check(address)
        self.throttle.count(address)
        raise wrong_key()

    def _owner(self, key: tuple[bytes, bytes]) -> Caller | None:
        """Return whose key it is. Only its digest is compared, so that the time taken tells nothing of any key."""
        text, sent = key
        if not sent:
            return None
        known = self._configured.get(sent)
        if known is not None and hmac.compare_digest(known[0], sent):
            return known[1]
        if self._kept is None:
            return None
        try:
            return self._kept.find(sent)
        except KeysUnchecked:
            if is_ours(text) and not has_right_checksum(text):
                return None  # mistyped or invented: wrong for sure, whatever the store would say
            raise


def _callers(keys: Iterable[SecretStr]) -> dict[bytes, tuple[bytes, Caller]]:
    digests = [digest(key.get_secret_value().encode()) for key in keys]
    return {each: (each, Caller(caller_id(each))) for each in digests}


async def _nobody(_: bytes) -> None:
    """Say of every key that nobody could be asked about it."""
