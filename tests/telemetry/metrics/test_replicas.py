"""Replicas' own metrics in the gateway's page."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from vllm_gateway import codec
from vllm_gateway.telemetry.metrics.replicas import ReplicaPages, families, together

RECORDED = Path(__file__).parents[2] / "recordings" / "vllm-0.32.0" / "metrics.json"
PAGE = (
    b"# HELP vllm:requests_total Requests.\n# TYPE vllm:requests_total counter\n"
    b'vllm:requests_total{model_name="m"} 3\nvllm:requests_created{model_name="m"} 1.7e+09\n'
    b"# HELP vllm:waiting Waiting.\n# TYPE vllm:waiting gauge\nvllm:waiting 2.0\nvllm:idle{} 1 1700000000000\n"
    b"# HELP process_open_fds Files.\n# TYPE process_open_fds gauge\nprocess_open_fds 12\n"
)


def parsed(text: bytes) -> list[Metric]:
    """Read a page as Prometheus' own library does."""
    return list(text_string_to_metric_families(text.decode()))


def test_every_series_names_its_replica() -> None:
    """Whatever labels it has; what is not vLLM's own stays away."""
    text = together([families('gpu "1"', PAGE)])
    assert text.decode().splitlines() == [
        "# HELP vllm:requests_total Requests.",
        "# TYPE vllm:requests_total counter",
        'vllm:requests_total{replica="gpu \\"1\\"",model_name="m"} 3',
        "# TYPE vllm:requests_created untyped",
        'vllm:requests_created{replica="gpu \\"1\\"",model_name="m"} 1.7e+09',
        "# HELP vllm:waiting Waiting.",
        "# TYPE vllm:waiting gauge",
        'vllm:waiting{replica="gpu \\"1\\""} 2.0',
        "# TYPE vllm:idle untyped",
        'vllm:idle{replica="gpu \\"1\\""} 1',
    ]


def test_a_metric_of_several_replicas_is_told_once() -> None:
    """One help, one type, and the series of all behind each other."""
    text = together([families("a-1", PAGE), families("a-2", PAGE)])
    assert text.count(b"# TYPE vllm:requests_total ") == text.count(b"# HELP vllm:requests_total ") == 1
    (counted,) = [family for family in parsed(text) if family.name == "vllm:requests"]
    assert {sample.labels["replica"] for sample in counted.samples} == {"a-1", "a-2"}


def test_a_real_page_comes_through_whole() -> None:
    """Every `vllm:` series of a real vLLM, with its value and its labels."""
    page: bytes = codec.loads(RECORDED.read_bytes())["response"]["body"].encode()
    wanted = [
        (sample.name, sample.labels, sample.value)
        for family in parsed(page)
        for sample in family.samples
        if sample.name.startswith("vllm:")
    ]
    found = parsed(together([families("gpu-1", page)]))
    samples = [sample for family in found for sample in family.samples]
    assert len(wanted) > 200
    assert {sample.labels.pop("replica") for sample in samples} == {"gpu-1"}
    assert [(sample.name, sample.labels, sample.value) for sample in samples] == wanted
    kinds = {family.name: family.type for family in parsed(page) if family.name.startswith("vllm:")}
    assert {family.name: family.type for family in found} == kinds


@pytest.mark.parametrize(
    "line",
    [
        b"vllm:broken{a=} 1",
        b'vllm:broken{a="1} 1',
        b'vllm:broken{a="\\x"} 1',
        b"vllm:broken one",
        b"vllm:broken 1 2 3",
        b"vllm:broken",
        b"vllm:bro-ken 1",
        b'vllm:broken{a="1"',
        b'vllm:broken{a="1"b="2"} 1',
        b'vllm:broken{a="1",a="2"} 1',
        b'vllm:broken{replica="1",exported_replica="2"} 1',
        b'vllm:broken{__name__="other"} 1',
        b"vllm:broken 1\x00",
        b"# HELP vllm:broken \x00",
        b"# TYPE vllm:broken nonsense",
        b"<html>",
        b"\xff\xfe",
    ],
)
def test_a_line_that_is_none_costs_nothing_but_itself(line: bytes) -> None:
    """Prometheus would throw the whole page away for it."""
    text = together([families("a-1", b"vllm:before 1\n" + line + b"\nvllm:after 2\n")])
    assert [sample.name for family in parsed(text) for sample in family.samples] == ["vllm:before", "vllm:after"]


@given(st.binary(max_size=80))
def test_whatever_a_replica_says_the_page_can_be_read(noise: bytes) -> None:
    """Replicas are not trusted with the format."""
    text = together([families("a-1", b"vllm:x " + noise + b'\nvllm:y{b="' + noise + b'"} 1\n' + noise)])
    assert all(line.startswith((b"vllm:", b"# ")) for line in text.split(b"\n")[:-1])
    for family in parsed(text):
        assert all(sample.labels["replica"] == "a-1" for sample in family.samples)


def test_a_label_that_is_there_already_keeps_its_value() -> None:
    """Under the name that Prometheus gives to such ones; a label of which it is only the end is another."""
    text = together([families("a-1", b'vllm:x{replica="2",of_replica="3"} 1\nvllm:x{a="b",replica="4",} 1\n')])
    assert b'vllm:x{replica="a-1",exported_replica="2",of_replica="3"} 1\n' in text
    assert b'vllm:x{replica="a-1",a="b",exported_replica="4"} 1\n' in text


def test_replicas_that_do_not_agree_on_a_type_are_not_mixed() -> None:
    """The first one stands: another version of vLLM may count where this one measures."""
    text = together(
        [families("a-1", b"# TYPE vllm:x gauge\nvllm:x 1\n"), families("a-2", b"# TYPE vllm:x counter\nvllm:x 2\n")]
    )
    assert [sample.labels["replica"] for family in parsed(text) for sample in family.samples] == ["a-1"]


def test_a_page_is_read_once() -> None:
    """As long as it is the same; one of a replica that is gone is forgotten."""
    pages = ReplicaPages()
    first = pages.read("a-1", PAGE)
    assert pages.read("a-1", PAGE) is first
    assert pages.read("a-1", bytes(bytearray(PAGE))) is not first
    pages.keep(["a-2"])
    assert pages.read("a-1", PAGE) is not first


def test_a_page_that_was_read_is_known() -> None:
    """As the very same object: the next look at the replica makes another one, whatever stands in it."""
    pages = ReplicaPages()
    assert not pages.has_read("one", PAGE)
    read = pages.read("one", PAGE)
    assert pages.has_read("one", PAGE)
    assert pages.read("one", PAGE) is read
    assert not pages.has_read("one", bytes(bytearray(PAGE)))
    assert not pages.has_read("other", PAGE)
