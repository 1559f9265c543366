"""Check the files of a deployment with the programs that read them, as far as these are installed here.

python -m scripts.check_deploy

What cannot be checked is named; the exit status is 1 when a program finds a mistake. Nothing is started or built.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

DEPLOY = Path(__file__).parents[1] / "deploy"
CHART = DEPLOY / "helm" / "vllm-gateway"

Found = tuple[str, bool | None, str]
"""What was checked, whether it is right (None: it could not be checked), and what was said."""


def run(*command: str) -> tuple[bool, str]:
    """Run a program; return whether it was content, and what it said."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return ran.returncode == 0, (ran.stdout + ran.stderr).strip()


def check_compose() -> Found:
    """Have Compose read its file, with every profile."""
    what = "docker compose config"
    command = ("docker", "compose")
    if shutil.which("docker") is None or not run(*command, "version")[0]:
        return what, None, "there is no docker with compose"
    profiles = [word for profile in ("sim", "gpu", "cpu", "folder", "redis", "monitoring", "ui")
                for word in ("--profile", profile)]  # fmt: skip
    return what, *run(*command, "-f", str(DEPLOY / "compose.yaml"), *profiles, "config", "--quiet")


def check_units() -> Found:
    """Have systemd read the units; the programs that they start are not here, so another stands in their place."""
    what = "systemd-analyze verify"
    if shutil.which("systemd-analyze") is None:
        return what, None, "there is no systemd"
    with tempfile.TemporaryDirectory() as folder:
        for unit in (DEPLOY / "systemd").glob("*.service"):
            lines = unit.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if not line.startswith(("ExecStart", "User=", "Group="))]
            kept.insert(kept.index("[Service]") + 1, "ExecStart=/bin/true")
            name = unit.name.replace("@.", "@small.")
            (Path(folder) / name).write_text("\n".join(kept) + "\n", encoding="utf-8")
        good, said = run("systemd-analyze", "verify", *map(str, Path(folder).glob("*.service")))
    return what, good and not said, said


def check_chart() -> Found:
    """Have Helm read the chart and render it, all of it switched on."""
    what = "helm lint and template"
    if shutil.which("helm") is None:
        return what, None, "there is no helm"
    switches = ("ingress", "httpRoute", "autoscaling", "serviceMonitor")
    everything = [word for name in switches for word in ("--set", f"{name}.enabled=true")]
    for command in (
        ("helm", "lint", "--strict", str(CHART)),
        ("helm", "template", "rel", str(CHART)),
        ("helm", "template", "rel", str(CHART), *everything),
    ):
        good, said = run(*command)
        if not good:
            return what, False, said
    return what, True, ""


def check_image() -> Found:
    """Have hadolint read the Dockerfile."""
    what = "hadolint"
    if shutil.which("hadolint") is None:
        return what, None, "there is no hadolint"
    return what, *run("hadolint", str(DEPLOY / "Dockerfile"))


CHECKS: tuple[Callable[[], Found], ...] = (check_compose, check_units, check_chart, check_image)


def main() -> int:
    """Check all of it and tell; return the exit status."""
    status = 0
    for check in CHECKS:
        what, is_right, said = check()
        word = "NOT CHECKED" if is_right is None else "ok" if is_right else "WRONG"
        print(f"{word:<11}  {what}{f': {said}' if said else ''}")
        status |= is_right is False
    return status


if __name__ == "__main__":
    sys.exit(main())
