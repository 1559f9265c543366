"""`vllm-gateway usage`: who has used how much."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from vllm_gateway.settings.model import Settings
    from vllm_gateway.telemetry.usage.names import KeyNames
    from vllm_gateway.telemetry.usage.question import Question, Total

    Tell = Callable[[list[dict[str, Any]], Question], str]


def usage(
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: str | None = None,
    by: str = "day",
    key: str | None = None,
    model: str | None = None,
    json: bool = False,
    csv: bool = False,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> int:
    """Sum up what was used, where usage.backend has it written down; the last 30 days, if no days are named.

    A request belongs to the day (UTC) on which it ended. Failed are those that did not end with a whole answer.

    For example: vllm-gateway usage --by key,model

    Or: vllm-gateway usage --from 2027-01-01 --to 2027-01-31 --by key,day --csv > january.csv

    Args:
        from_: First day, like 2027-01-31.
        to: Last day. [default: today]
        by: What to sum up by: key, model, day, replica, outcome, or several with commas between them.
        key: Only what this key used: its id, or its name.
        model: Only what this model answered.
        json: Print JSON instead of a table.
        csv: Print CSV instead of a table.
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    from vllm_gateway.cli.loading import loaded_or_told  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from vllm_gateway.telemetry.usage.question import QuestionInvalid, read_question  # noqa: PLC0415 - as above

    if json and csv:
        return _told("Choose one of --json and --csv.")
    try:
        question = read_question(now=SystemClock().wall(), first=from_, last=to, by=by, model=model)
    except QuestionInvalid as invalid:
        return _told(str(invalid))
    loaded = loaded_or_told(config)
    if loaded is None:
        return 1
    return _show(loaded.settings, question, key, _as_json if json else _as_csv if csv else _as_table)


def _show(settings: "Settings", question: "Question", key: str | None, tell: "Tell") -> int:
    """Print the answer; what goes wrong is told in one sentence."""
    import asyncio  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.state.extras import MissingExtra  # noqa: PLC0415 - as above
    from vllm_gateway.telemetry.usage.listing import described  # noqa: PLC0415 - as above
    from vllm_gateway.telemetry.usage.question import MAX_ROWS, day_name  # noqa: PLC0415 - as above
    from vllm_gateway.telemetry.usage.store import StoreUnusable  # noqa: PLC0415 - as above

    if settings.usage.backend == "none":
        return _told("No usage is written down: usage.backend is none. Set it to sqlite or postgres.")
    try:
        totals, names = asyncio.run(_ask(settings, question, key))
    except (MissingExtra, StoreUnusable) as fault:
        return _told(str(fault))
    if not totals:
        sys.stderr.write(
            f"Nothing was used from {day_name(question.first_day)} to {day_name(question.last_day)} (UTC).\n"
        )
    elif len(totals) > MAX_ROWS:
        sys.stderr.write(f"There are more than these {MAX_ROWS:,} rows; ask for fewer days.\n")
    sys.stdout.write(tell(described(totals[:MAX_ROWS], names), question))
    return 0


async def _ask(settings: "Settings", question: "Question", key: str | None) -> "tuple[list[Total], KeyNames]":
    from dataclasses import replace  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.telemetry.usage.choose import READ_S, open_usage_store  # noqa: PLC0415 - as above

    names = await _names(settings)
    if key is not None:
        question = replace(question, callers=names.callers(key))
    store = open_usage_store(settings.usage, settings.state, limit_s=READ_S)
    if store is None:
        return [], names
    try:
        return await store.totals(question), names
    finally:
        await store.close()


async def _names(settings: "Settings") -> "KeyNames":
    """Return the names of keys; without them the ids have to do."""
    from vllm_gateway.admission.keys.stores.choose import open_key_store  # noqa: PLC0415 - --help is quick
    from vllm_gateway.edge.admin.usage import key_names  # noqa: PLC0415 - as above
    from vllm_gateway.state.extras import MissingExtra  # noqa: PLC0415 - as above
    from vllm_gateway.telemetry.usage.names import KeyNames  # noqa: PLC0415 - as above

    try:
        store = open_key_store(settings.auth, settings.state)
    except MissingExtra:
        return KeyNames()
    try:
        return await key_names(store)
    finally:
        await store.close()


def _as_table(rows: "list[dict[str, Any]]", question: "Question") -> str:
    from vllm_gateway.telemetry.usage.listing import table  # noqa: PLC0415 - keeps --help quick

    return table(rows, question.by) if rows else ""


def _as_csv(rows: "list[dict[str, Any]]", question: "Question") -> str:
    from vllm_gateway.telemetry.usage.listing import comma_separated  # noqa: PLC0415 - keeps --help quick

    return comma_separated(rows, question.by)


def _as_json(rows: "list[dict[str, Any]]", _: "Question") -> str:
    from vllm_gateway.codec import dumps_pretty  # noqa: PLC0415 - keeps --help quick

    return dumps_pretty(rows).decode()


def _told(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1
