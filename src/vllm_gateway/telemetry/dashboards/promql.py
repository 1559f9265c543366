"""Pieces of PromQL, made from the metrics' definitions: a query cannot name a metric or a label that is not there."""

from vllm_gateway.telemetry.metrics.definitions import Kind, Metric

TARGETS = 'job=~"$job",instance=~"$instance"'
"""The gateways that a dashboard is looking at."""
WINDOW = "$__rate_interval"
"""What Grafana makes long enough for two scrapes."""


def series(metric: Metric, match: str = "", *, part: str = "") -> str:
    """Return the series of a metric on the dashboard's gateways; `match` are more conditions, as PromQL has them."""
    return f"{metric.name}{part}{{{', '.join(filter(None, (TARGETS, match)))}}}"


def of_replicas(name: str, match: str = "") -> str:
    """Return series of the replicas' own, which vLLM names."""
    return f"{name}{{{', '.join(filter(None, (TARGETS, match)))}}}"


def summed(metric: Metric, *by: str, match: str = "") -> str:
    """Return the sum of a gauge, for each value of the labels `by`."""
    return f"sum{_by(metric, by)}({series(metric, match)})"


def rate(metric: Metric, *by: str, match: str = "") -> str:
    """Return how fast a counter goes up each second; of a histogram, how many values come."""
    part = "_count" if metric.kind is Kind.HISTOGRAM else ""
    return f"sum{_by(metric, by)}(rate({series(metric, match, part=part)}[{WINDOW}]))"


def increase(metric: Metric, window: str, *by: str, match: str = "") -> str:
    """Return by how much a counter has gone up in a window."""
    return f"sum{_by(metric, by)}(increase({series(metric, match)}[{window}]))"


def quantile(share: float, metric: Metric, *by: str, match: str = "") -> str:
    """Return the value of a histogram below which such a share of all lies."""
    inside = f"rate({series(metric, match, part='_bucket')}[{WINDOW}])"
    return f"histogram_quantile({share}, sum by ({', '.join((*_known(metric, by), 'le'))}) ({inside}))"


def below(bound: str, metric: Metric, window: str = WINDOW, match: str = "") -> str:
    """Return which share of a histogram's values is not above one of its bounds."""
    conditions = f'le="{bound}"' + (f", {match}" if match else "")
    within = f"sum(rate({series(metric, conditions, part='_bucket')}[{window}]))"
    return f"{within} / {_whole(metric, window, match)}"


def share(some: str, whole: str) -> str:
    """Return a ratio."""
    return f"{some} / {whole}"


def _whole(metric: Metric, window: str, match: str) -> str:
    return f"sum(rate({series(metric, match, part='_count')}[{window}]))"


def _by(metric: Metric, by: tuple[str, ...]) -> str:
    return f" by ({', '.join(_known(metric, by))}) " if by else ""


def _known(metric: Metric, by: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels by which series are told apart.

    Raises:
        ValueError: the metric has no such label.
    """
    for label in by:
        if label not in {*metric.labels, "instance", "job"}:
            raise ValueError(f"{metric.name} has no label {label}")
    return by
