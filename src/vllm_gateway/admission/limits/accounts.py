"""What stands for a caller, and all that its requests to one model are counted by: found once, for many requests."""

from ipaddress import ip_network

from vllm_gateway.admission.limits.headers import Telling
from vllm_gateway.admission.limits.meters import Kind, Meter, Meters
from vllm_gateway.callers import Allowance, Caller
from vllm_gateway.settings.admission import Limits

MOST_ACCOUNTS = 4096
"""Accounts that are remembered; beyond that the one that was made first is made anew when it is wanted."""


class Account:
    """The meters of one caller's requests to one model, and what of them is the same for every request."""

    def __init__(self, meters: tuple[Meter, ...], allowance: Allowance | None = None) -> None:
        self.meters = meters
        self.allowance = allowance
        """What the caller had of its own when this was made."""
        self.telling = Telling(meters)
        self.counts_tokens = any(meter.is_of_tokens for meter in meters)
        self.has_budget = any(meter.kind is Kind.BUDGET for meter in meters)
        self.key_budget = next((place for place, meter in enumerate(meters) if _is_budget_of_key(meter)), None)
        """The place of the meter of a key's tokens for today."""
        self.without_tokens = self
        """The account of requests that no model works for: a used-up budget keeps nobody from counting tokens."""
        if self.counts_tokens:
            self.without_tokens = Account(tuple(meter for meter in meters if not meter.is_of_tokens))


class Accounts:
    """Finds the account of every request."""

    def __init__(self, settings: Limits) -> None:
        self._meters = Meters(settings)
        self._is_per_key = settings.per == "key"
        self._found: dict[tuple[str, str, str], Account] = {}

    def might_hold(self, caller: Caller) -> bool:
        """Say whether any limit might hold for a caller."""
        return not self._meters.are_none or caller.allowance is not None

    def of(self, caller: Caller, address: str, model: str) -> Account:
        """Return the account of a caller at an address that asks for a model."""
        who = (caller.id, "" if self._is_per_key and caller.id else address, model)
        found, allowance = self._found.get(who), caller.allowance
        if found is None or (found.allowance is not allowance and found.allowance != allowance):
            found = self._made(who, allowance)
        return found

    def _made(self, who: tuple[str, str, str], allowance: Allowance | None) -> Account:
        key, address, model = who
        scope = f"key:{key}" if key and self._is_per_key else f"ip:{_network(address)}"
        if len(self._found) >= MOST_ACCOUNTS:
            del self._found[next(iter(self._found))]
        account = self._found[who] = Account(self._meters.of(scope, allowance, model), allowance)
        return account


def _is_budget_of_key(meter: Meter) -> bool:
    return meter.kind is Kind.BUDGET and meter.scope.startswith("key:")


def _network(address: str) -> str:
    """Return an address; of IPv6 the network of 64 bits that one subscriber has."""
    if ":" not in address:
        return address
    try:
        return str(ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
