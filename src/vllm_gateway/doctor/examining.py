"""Everything that is looked at, in order."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from vllm_gateway.clock import Clock
from vllm_gateway.doctor.extras import look_at_extras
from vllm_gateway.doctor.files import look_at_kept_files, look_at_secret_files
from vllm_gateway.doctor.finding import Finding, fail, ok
from vllm_gateway.doctor.machine import look_at_clock, look_at_open_files, look_at_versions
from vllm_gateway.doctor.opened import look_at_openness
from vllm_gateway.doctor.ports import look_at_ports
from vllm_gateway.doctor.replicas import look_at_replicas
from vllm_gateway.doctor.stores import look_at_stores
from vllm_gateway.settings import Loaded, Problem, Settings


def look_at_machine(clock: Clock) -> Iterator[Finding]:
    """Yield what does not depend on any setting."""
    yield look_at_versions()
    yield look_at_open_files()
    yield look_at_clock(clock.wall())


def told(problems: Iterable[Problem]) -> Iterator[Finding]:
    """Yield what is wrong with settings that cannot be used."""
    for problem in problems:
        yield fail("settings", problem.line, "Correct it; vllm-gateway config check tells all of them.")


async def examine(loaded: Loaded, clock: Clock, secrets: Iterable[Path]) -> list[Finding]:
    """Look at everything; `secrets` are the files that hold some."""
    settings: Settings = loaded.settings
    found = [*look_at_machine(clock), ok("settings", "valid")]
    found += look_at_secret_files(secrets)
    found += look_at_kept_files(settings)
    found += look_at_extras(settings)
    found += look_at_openness(settings)
    found += [finding async for finding in look_at_ports(settings)]
    found += await look_at_replicas(settings)
    found += [finding async for finding in look_at_stores(settings, clock)]
    return found
