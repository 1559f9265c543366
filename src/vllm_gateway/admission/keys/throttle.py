"""How many wrong keys may come from one address: enough for people who mistype, too few for those who guess."""

from ipaddress import IPv6Address, ip_address

from vllm_gateway.clock import Clock
from vllm_gateway.errors import KeysThrottled

WRONG_KEYS = 20
"""So many at once; then one more for every `EACH_S` seconds."""
EACH_S = 3.0
MAX_ADDRESSES = 10_000
_NETWORK_BITS = 64


class Throttle:
    """Counts wrong keys by the address that they came from, for as long as they matter."""

    def __init__(self, clock: Clock, *, max_addresses: int = MAX_ADDRESSES) -> None:
        self._clock = clock
        self._max_addresses = max_addresses
        self._clean_at: dict[str, float] = {}
        """When nothing will be left of what came from an address; the address that was wrong last stands last."""

    def check(self, address: str) -> None:
        """Return when one more wrong key may come from this address.

        Raises:
            KeysThrottled: too many have come; it tells when the next may.
        """
        clean_at = self._clean_at.get(_network(address))
        if clean_at is None:
            return
        wait_s = clean_at + EACH_S - self._clock.now() - WRONG_KEYS * EACH_S
        if wait_s > 0:
            raise KeysThrottled(
                "Too many wrong API keys came from your address. Wait a little, and send the right one.",
                retry_after_s=wait_s,
            )

    def count(self, address: str) -> None:
        """Take down a wrong key."""
        network, now = _network(address), self._clock.now()
        self._clean_at[network] = max(self._clean_at.pop(network, now), now) + EACH_S
        if len(self._clean_at) > self._max_addresses:
            del self._clean_at[next(iter(self._clean_at))]

    def forgive(self, address: str) -> None:
        """Take back one that was counted and has turned out to be right."""
        network = _network(address)
        if network in self._clean_at:
            self._clean_at[network] -= EACH_S


def _network(address: str) -> str:
    """Return what counts as one address: who has one of IPv6 has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a name, or the nothing of a Unix socket
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> (128 - _NETWORK_BITS):x}/64"
