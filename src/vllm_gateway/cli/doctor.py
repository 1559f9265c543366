"""`vllm-gateway doctor`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def doctor(*, json: bool = False, config: Annotated[Path | None, Parameter(name="--config")] = None) -> int:
    """Look at everything that a gateway with these settings needs, and say what is wrong and what to do.

    Settings, open files, the clock, who may read secrets, files that are written, extras, ports, every replica with its
    version and models, Redis and PostgreSQL. Nothing is changed. Each line is ok, warn or fail; one fail makes the exit
    status 1.

    For example: vllm-gateway doctor --config gateway.yaml

    Or, in a script: vllm-gateway doctor --json | jq '.findings[] | select(.level != "ok")'

    Args:
        json: Print JSON.
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    import asyncio  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from vllm_gateway.codec import dumps_pretty  # noqa: PLC0415 - as above
    from vllm_gateway.doctor.examining import examine, look_at_machine, told  # noqa: PLC0415 - as above
    from vllm_gateway.doctor.finding import has_failed  # noqa: PLC0415 - as above
    from vllm_gateway.doctor.report import as_lines, as_values  # noqa: PLC0415 - as above
    from vllm_gateway.settings import SettingsInvalid, load_here  # noqa: PLC0415 - as above
    from vllm_gateway.settings.sources.secret_files import secret_files_here  # noqa: PLC0415 - as above

    clock = SystemClock()
    try:
        loaded = load_here(config)
    except SettingsInvalid as invalid:
        findings = [*look_at_machine(clock), *told(invalid.problems)]
    else:
        findings = asyncio.run(examine(loaded, clock, secret_files_here(loaded.settings)))
    sys.stdout.write(dumps_pretty(as_values(findings)).decode() if json else as_lines(findings))
    return 1 if has_failed(findings) else 0
