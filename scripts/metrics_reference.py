"""Writes the list of metrics into docs/metrics.md: `python -m scripts.metrics_reference`."""

from pathlib import Path

from vllm_gateway.telemetry.metrics.reference import renewed

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"


def main() -> None:
    """Put the list as it is now in the place of the one before."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
