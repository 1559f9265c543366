"""Other gateways: installed from their packages, each into an environment of its own, and started as their users do.

Their packages want different versions of the same libraries, so none shares an environment with another or with ours.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import canned
from benchmarks.targets import Place, Target, free_port
from vllm_gateway import codec

PINNED = Path(__file__).with_name("peers.txt")
WHERE = Path.home() / ".cache" / "vllm-gateway" / "peers"
INSTALL_S = 600.0
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,.-]+\])?==(?P<version>[\w.]+)")
_MANY_AT_ONCE = ("--max-concurrent-requests", "100000")


class NotInstalled(Exception):
    """A package could not be had; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Package:
    """One gateway as it is published."""

    name: str
    version: str
    requirement: str

    def environment(self, where: Path) -> Path:
        """Return the folder of its environment."""
        return where / f"{self.name}-{self.version}"


def packages(text: str) -> list[Package]:
    """Read the pinned requirements, one on each line."""
    found = []
    for line in text.splitlines():
        if (wanted := line.partition("#")[0].strip()) == "":
            continue
        parts = _REQUIREMENT.fullmatch(wanted)
        if parts is None:
            raise ValueError(f"{wanted!r} is no pinned package: write name==version.")
        found.append(Package(parts["name"], parts["version"], wanted))
    return found


def install(package: Package, where: Path) -> Path:
    """Return the folder of the package's programs, after installing it if it is not there yet."""
    environment = package.environment(where)
    stamp = environment / "installed"
    if not stamp.exists():
        for command in _installing(package, environment):
            try:
                subprocess.run(
                    command, capture_output=True, text=True, check=True, timeout=INSTALL_S, stdin=subprocess.DEVNULL
                )
            except subprocess.CalledProcessError as error:
                reason = error.stderr.strip()[-500:]
                raise NotInstalled(f"{package.requirement} cannot be installed: {reason}") from error
            except subprocess.TimeoutExpired as error:
                raise NotInstalled(f"{package.requirement} is not installed after {INSTALL_S:.0f} s.") from error
        stamp.touch()
    return environment / "bin"


def targets(package: Package, programs: Path) -> Iterator[Target]:
    """Return the ways in which a package is compared; none of one that is not known here."""
    if package.name == "vllm-router":
        yield _router("vllm-router", [str(programs / "vllm-router")], "round_robin", log_level="warning")
        yield _router("vllm-router, cache-aware", [str(programs / "vllm-router")], "cache_aware", log_level="warning")
    elif package.name == "sglang-router":
        yield _router("sglang-router", [str(programs / "sglang-router"), "launch"], "round_robin", log_level="warn")
    elif package.name == "litellm":
        yield _litellm(programs)


def _installing(package: Package, environment: Path) -> Iterator[list[str]]:
    """Return the commands that make an environment and install into it, with uv where it is there."""
    python = str(environment / "bin" / "python")
    if uv := shutil.which("uv"):
        yield [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)]
        yield [uv, "pip", "install", "--quiet", "--python", python, package.requirement]
    else:
        yield [sys.executable, "-m", "venv", "--clear", str(environment)]
        yield [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package.requirement]


def _router(name: str, program: list[str], policy: str, *, log_level: str) -> Target:
    """Return one of the routers in Rust; left alone they let 256 or fewer requests in at once."""

    def command(place: Place) -> list[str]:
        return [
            *program,
            *("--host", "127.0.0.1", "--port", str(place.port), "--prometheus-port", str(free_port())),
            *("--worker-urls", f"http://127.0.0.1:{place.replica}", "--policy", policy),
            *(*_MANY_AT_ONCE, "--log-level", log_level),
        ]

    return Target(name, command)


def _litellm(programs: Path) -> Target:
    """Return LiteLLM's proxy; without a key it does not start, and its list of prices would come from the net."""

    def command(place: Place) -> list[str]:
        settings = place.folder / "litellm.yaml"
        replica = {"model": f"hosted_vllm/{canned.MODEL}", "api_base": f"http://127.0.0.1:{place.replica}/v1"}
        listed = {"model_list": [{"model_name": canned.MODEL, "litellm_params": replica}]}
        settings.write_bytes(codec.dumps(listed))  # JSON is YAML
        where = ["--host", "127.0.0.1", "--port", str(place.port), "--num_workers", "1"]
        return [str(programs / "litellm"), "--config", str(settings), *where]

    environment = {
        "HOME": str(programs.parent),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": canned.KEY,
    }
    return Target("litellm", command, environment)
