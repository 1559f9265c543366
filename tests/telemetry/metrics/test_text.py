"""The text format, read by Prometheus' own client library."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.series import Snapshot, Spread
from vllm_gateway.telemetry.metrics.text import page

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=8)


def samples(snapshot: Snapshot) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what a page says: values under names and labels' values."""
    found = text_string_to_metric_families(page(snapshot).decode())
    return {(sample.name, tuple(sample.labels.values())): sample.value for family in found for sample in family.samples}


@given(st.dictionaries(st.tuples(NAME, NAME), st.integers(0, 2**53), min_size=1, max_size=5))
def test_any_label_value_comes_through(counts: dict[tuple[str, ...], float]) -> None:
    """Quotation marks, backslashes and line ends of names that others choose break nothing."""
    said = samples({of.ATTEMPTS.name: dict(counts)})
    assert said == {(of.ATTEMPTS.name, labels): count for labels, count in counts.items()}


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=50))
def test_a_histogram_is_cumulative(values: list[float]) -> None:
    """Each bucket holds what is below its bound; the last holds all."""
    spread = Spread(of.QUEUE_WAIT)
    for value in values:
        spread.observe(value)
    said = samples({of.QUEUE_WAIT.name: {(): spread.row}})
    name = of.QUEUE_WAIT.name
    for bound in of.QUEUE_WAIT.buckets:
        (count,) = [
            count
            for (sample, labels), count in said.items()
            if sample == f"{name}_bucket" and float(labels[0]) == bound
        ]
        assert count == sum(value <= bound for value in values)
    assert said[f"{name}_bucket", ("+Inf",)] == said[f"{name}_count", ()] == len(values)
    assert said[f"{name}_sum", ()] == sum(values)


def test_a_metric_says_what_it_is() -> None:
    """Its help and its type stand once, before its series; one without series is not there."""
    text = page({of.ERRORS.name: {("b",): 1, ("a",): 2}, of.HEDGES.name: {}}).decode()
    assert text.splitlines() == [
        f"# HELP gateway_errors_total {of.ERRORS.help}",
        "# TYPE gateway_errors_total counter",
        'gateway_errors_total{code="a"} 2',
        'gateway_errors_total{code="b"} 1',
    ]
