"""Writes the dashboards and the alerts into deploy/: `python -m scripts.dashboards`."""

from collections.abc import Mapping
from pathlib import Path

from vllm_gateway import codec
from vllm_gateway.telemetry.dashboards.alerts import rules_file
from vllm_gateway.telemetry.dashboards.grafana import BOARDS, dashboard

DEPLOY = Path(__file__).parents[1] / "deploy"


def files() -> Mapping[Path, bytes]:
    """Return what is to stand in deploy/."""
    boards = {DEPLOY / "grafana" / f"{board.name}.json": codec.dumps_pretty(dashboard(board)) for board in BOARDS}
    return {**boards, DEPLOY / "prometheus" / "alerts.yml": rules_file()}


def main() -> None:
    """Put the files as they are now in the place of those before."""
    for path, content in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
