"""Who gets to know how its replica was chosen, and for which request it asks that."""

from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address

from vllm_gateway.exchange import Exchange, Headers
from vllm_gateway.settings.admission import Auth
from vllm_gateway.trail import Explanation

LOCAL = "local"
_HEADER = b"x-explain"
_QUERY = b"explain=1"
_YES = frozenset({b"1", b"true"})


class Explaining:
    """Begins an explanation for those who ask and may; for others it is as if there were none."""

    def __init__(self, who: Collection[str], names: Callable[[], Mapping[str, str]]) -> None:
        """Tell `who`; `names` gives the names of keys by the ids of their callers."""
        self._who = frozenset(who)
        self._names = names

    def begin(self, exchange: Exchange) -> None:
        """Have everything noted from here on, if that is asked for."""
        if _is_wanted(exchange.headers, exchange.query) and self._may_know(exchange):
            exchange.trail.explanation = Explanation()

    def _may_know(self, exchange: Exchange) -> bool:
        caller_id = exchange.caller.id
        if caller_id:
            return caller_id in self._who or self._names().get(caller_id) in self._who
        return LOCAL in self._who and _is_local(exchange.address)


def explaining_to(auth: Auth, names: Callable[[], Mapping[str, str]]) -> Explaining | None:
    """Return what explains to those whom the settings name; None where they name nobody.

    `local` holds only where no keys are asked for: elsewhere a caller without a name is one whom a session lets in.
    """
    who = [each for each in auth.explain_to if each != LOCAL or auth.mode == "none"]
    return Explaining(who, names) if who else None


def _is_wanted(headers: Headers, query: bytes) -> bool:
    if query and _QUERY in query.split(b"&"):
        return True
    return any(name == _HEADER and value in _YES for name, value in headers)


def _is_local(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
