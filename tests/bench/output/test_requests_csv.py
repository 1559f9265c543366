"""One line for each request."""

import csv
import io

from tests.bench.making import answered, failed, findings, paired
from vllm_gateway.bench.output.requests_csv import COLUMNS, requests_csv


def test_every_request_has_a_line() -> None:
    """With what was measured of it, and nothing where there was nothing."""
    table = list(csv.DictReader(io.StringIO(requests_csv(findings([answered(5.0), failed(6.5)])))))
    assert tuple(table[0]) == COLUMNS
    assert [line["start_s"] for line in table] == ["0.0", "1.5"]
    assert (table[0]["ttft_ms"], table[0]["mean_itl_ms"], table[0]["e2e_ms"]) == ("100.0", "10.0", "120.0")
    assert (table[0]["input_tokens"], table[0]["output_tokens"], table[0]["error"]) == ("20", "3", "")
    assert (table[1]["ttft_ms"], table[1]["status"], table[1]["error"]) == ("", "503", "http_503")


def test_both_targets_are_in_it() -> None:
    """Told apart by their address."""
    table = list(csv.DictReader(io.StringIO(requests_csv(paired([answered()], [answered()])))))
    assert [line["target"] for line in table] == ["http://a:1", "http://b:2"]


def test_nothing_measured_is_a_heading() -> None:
    """So that programs need no exception."""
    assert requests_csv(findings([])) == ",".join(COLUMNS) + "\n"
