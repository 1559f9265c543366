"""`vllm-gateway chaos`."""

import sys
from typing import Annotated

from cyclopts import CycloptsError, Parameter

_MOST_PORT = 65_535


def chaos(
    *,
    against: str | None = None,
    replica_ports: str | None = None,
    api_key: str | None = None,
    only: list[str] | None = None,
    json: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    quick: bool = False,
    show: Annotated[bool, Parameter(name="--list")] = False,
) -> int:
    """Break the replicas behind a gateway on purpose, and print how well its callers fared.

    Without arguments it starts replicas that need no model and a vllm-gateway before them, on free ports of this
    machine. It takes about a minute. Exit status 0: every scenario passed.

    For example: vllm-gateway chaos

    Only some of it: vllm-gateway chaos --only cut --only stall

    Another gateway, which has been configured with the replicas http://127.0.0.1:9001 and :9002:
    vllm-gateway chaos --against http://127.0.0.1:4000 --replica-ports 9001,9002

    Args:
        against: Address of a gateway that is already running; any that speaks OpenAI's API.
        replica_ports: Ports for the replicas that it was configured with: two alike, and if you like a third with a
            larger context. Needed with --against.
        api_key: Key that the gateway wants from its callers.
        only: Name of a scenario; give it again for each further one. [default: all]
        json: File for the report as JSON; - prints it in place of the table.
        quick: Let the replica that comes and goes do so for ten seconds in place of a minute.
        show: Say what the scenarios are and what the verdicts mean, and do nothing.

    Returns:
        The exit status.
    """
    from vllm_gateway.chaos import Wishes, run  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.chaos.caller import Target  # noqa: PLC0415 - as above
    from vllm_gateway.chaos.report import listing  # noqa: PLC0415 - as above
    from vllm_gateway.chaos.running import chosen  # noqa: PLC0415 - as above

    if show:
        sys.stdout.write(listing())
        return 0
    try:
        if (against is None) != (replica_ports is None):
            raise ValueError("--against and --replica-ports belong together.")  # noqa: TRY301 - one way out for all
        if against is not None:
            Target.at(against)
        ports = _ports(replica_ports)
        chosen(only or ())
    except ValueError as mistake:
        raise CycloptsError(msg=str(mistake)) from mistake
    return run(Wishes(only=tuple(only or ()), against=against, ports=ports, key=api_key, json=json, quick=quick))


def _ports(given: str | None) -> tuple[int, ...]:
    if given is None:
        return ()
    sentence = f"--replica-ports {given}: it takes two or three different ports, as in 9001,9002."
    texts = given.split(",")
    if not all(text.strip().isdecimal() for text in texts):
        raise ValueError(sentence)
    ports = tuple(int(text) for text in texts)
    if len(ports) not in {2, 3} or len(set(ports)) < len(ports) or not all(0 < port <= _MOST_PORT for port in ports):
        raise ValueError(sentence)
    return ports
