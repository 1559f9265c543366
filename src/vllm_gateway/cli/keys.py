"""`vllm-gateway keys`: make client keys, look at them, revoke them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vllm_gateway.admission.keys.record import KeyRecord
    from vllm_gateway.admission.keys.store import KeyStore

keys = App(
    name="keys",
    help="Make, list and revoke the keys of clients. They count where auth.mode is keys.\n\n"
    "For example: KEY=$(vllm-gateway keys create --name ann)",
)

Amount = Annotated[int, Parameter(validator=Number(gte=0, lte=1_000_000_000))]


@keys.command
def create(
    *,
    name: str,
    models: str = "",
    rpm: Amount = 0,
    tpm: Amount = 0,
    concurrent: Amount = 0,
    budget_tokens: Amount = 0,
    priority: Annotated[Literal["interactive", "standard", "batch"], Parameter(name="--class")] = "standard",
    expires: str | None = None,
    config: Path | None = None,
) -> int:
    """Make a key and print it, this once: only its digest is kept.

    Where a limit is 0 the one of the settings counts. The key stands alone on stdout, the rest on stderr.

    For example: vllm-gateway keys create --name ann --models tiny,large --rpm 60 --expires 30d

    Or: KEY=$(vllm-gateway keys create --name nightly --class batch --budget-tokens 5000000)

    Args:
        name: Whose key it is, or what for.
        models: The only models that it may ask for, with commas between them; all, if none is named.
        rpm: Requests per minute.
        tpm: Tokens per minute, prompts and answers together.
        concurrent: Requests at the same time.
        budget_tokens: Tokens per day (UTC), prompts and answers together.
        priority: Who goes first when there is not room for all.
        expires: When it ends: 12h, 30d, 8w, or a day like 2027-01-31 (UTC). It never does, if nothing is said.
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    from vllm_gateway.admission.keys.expiry import read_expiry  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.admission.keys.record import RecordInvalid, new_record  # noqa: PLC0415 - as above
    from vllm_gateway.admission.keys.secret import mint  # noqa: PLC0415 - as above
    from vllm_gateway.callers import Allowance, Priority  # noqa: PLC0415 - as above
    from vllm_gateway.clock import SystemClock  # noqa: PLC0415 - as above

    secret, wall = mint(), SystemClock().wall()
    try:
        record = new_record(
            secret,
            name=name,
            created=wall,
            models=tuple(model.strip() for model in models.split(",") if model.strip()),
            allowance=Allowance(
                requests_per_minute=rpm, tokens_per_minute=tpm, tokens_per_day=budget_tokens, concurrent=concurrent
            ),
            priority=Priority(priority),
            expires=None if expires is None else read_expiry(expires, wall=wall),
        )
    except (RecordInvalid, ValueError) as invalid:
        return _told(str(invalid))
    return _add(record, secret, config)


@keys.command(name="list")
def list_(*, json: bool = False, config: Path | None = None) -> int:
    """List the keys, revoked and expired ones too.

    For example: vllm-gateway keys list

    Args:
        json: Print JSON instead of a table.
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    from vllm_gateway.admission.keys.listing import described, table  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from vllm_gateway.codec import dumps_pretty  # noqa: PLC0415 - as above

    async def show(store: "KeyStore") -> int:
        rows = [described(record, SystemClock().wall()) for record in await store.load()]
        sys.stdout.write(dumps_pretty(rows).decode() if json else table(rows))
        return 0

    return _with_store(config, show)


@keys.command
def revoke(key: str, /, *, config: Path | None = None) -> int:
    """Revoke a key: within 5 seconds every gateway refuses it. What runs already goes on to its end.

    For example: vllm-gateway keys revoke key_0123456789ab

    Args:
        key: Its id, or its name if no other key has that.
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    from vllm_gateway.clock import SystemClock  # noqa: PLC0415 - keeps --help quick

    async def end(store: "KeyStore") -> int:
        record = await store.revoke(key, SystemClock().wall())
        if record is None:
            return _told(f"No key has the id or the name '{key}'; see: vllm-gateway keys list")
        sys.stderr.write(f"Revoked {record.id} ({record.name}).\n")
        return 0

    return _with_store(config, end)


def _add(record: "KeyRecord", secret: str, config: Path | None) -> int:
    """Keep a new key, and show it."""

    async def add(store: "KeyStore") -> int:
        await store.add(record)
        sys.stdout.write(f"{secret}\n")
        sys.stderr.write(f"Made {record.id} ({record.name}). Keep the key now: it cannot be shown again.\n")
        return 0

    return _with_store(config, add, warns=True)


def _with_store(config: Path | None, work: "Callable[[KeyStore], Awaitable[int]]", *, warns: bool = False) -> int:
    """Do something with the keys of the settings; what goes wrong is told in one sentence."""
    import asyncio  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.admission.keys.store import NameAmbiguous, StoreUnusable  # noqa: PLC0415 - as above
    from vllm_gateway.admission.keys.stores.choose import open_key_store  # noqa: PLC0415 - as above
    from vllm_gateway.cli.loading import loaded_or_told  # noqa: PLC0415 - as above
    from vllm_gateway.state.extras import MissingExtra  # noqa: PLC0415 - as above

    loaded = loaded_or_told(config)
    if loaded is None:
        return 1

    async def run() -> int:
        store = open_key_store(loaded.settings.auth, loaded.settings.state)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        status = asyncio.run(run())
    except (MissingExtra, NameAmbiguous, StoreUnusable) as fault:
        return _told(str(fault))
    if warns and loaded.settings.auth.mode != "keys":
        sys.stderr.write(f"No key is asked for yet: auth.mode is {loaded.settings.auth.mode}; set it to keys.\n")
    return status


def _told(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1
