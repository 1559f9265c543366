"""The wishes, checked."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.bench.making import planned
from vllm_gateway.bench.load.arrivals import Closed, Open, Pattern
from vllm_gateway.bench.load.asking import Asking, Endpoint


def test_nothing_wished_is_ten_requests_one_after_the_other() -> None:
    """Made up, streamed, with answers of full length; the seed is another one each time."""
    plan = planned()
    assert (plan.load.arrivals, plan.load.requests, plan.load.duration_s) == (Closed(1), 10, None)
    assert plan.asking == Asking(Endpoint.CHAT, is_stream=True, ignores_eos=True)
    assert (plan.shape.input_tokens, plan.shape.output_tokens) == (64, 64)
    assert plan.load.seed != planned().load.seed


def test_every_wish_arrives() -> None:
    """Rate, spread, lengths, limits, conditions, headers and fields of one's own."""
    plan = planned(
        server={"direct": "http://b:2", "api_key": "k", "header": ("X-A: b",), "body": '{"temperature":0}'},
        load={"rate": "5:50", "arrivals": "burst", "burst": 3, "duration_s": 4.0, "seed": 7},
        prompts={"synthetic": "100,20", "turns": 3, "shared_prefix": 50, "prefixes": 2, "prefix_share": 0.5},
        verdict={"goodput": ("ttft:200",), "fail_if": ("delta.p99_ttft_ms > 5 or direct.failed > 0",)},
    )
    assert plan.load.arrivals == Open(5, 50, Pattern.BURST, 3)
    assert (plan.load.requests, plan.load.duration_s, plan.load.seed) == (None, 4, 7)
    assert plan.target.headers == {"authorization": "Bearer k", "X-A": "b"}
    assert plan.direct is not None
    assert plan.direct.headers == plan.target.headers
    assert plan.asking.extra == {"temperature": 0}
    assert (plan.shape.turns, plan.shape.prefix_tokens, plan.shape.prefixes, plan.shape.prefix_share) == (3, 50, 2, 0.5)
    assert plan.slo.limits_ms == {"ttft": 200}
    assert list(plan.conditions) == ["delta.p99_ttft_ms > 5 or direct.failed > 0"]


def test_prompts_of_a_file_are_salted_where_two_get_them(tmp_path: Path) -> None:
    """Otherwise the second one would be answered out of the cache that the first one filled."""
    path = tmp_path / "prompts.txt"
    path.write_text("a\nb\n")
    plain = planned(prompts={"prompts": path})
    assert (len(plain.listed), plain.is_salted, plain.asking.ignores_eos) == (2, False, False)
    assert planned(prompts={"prompts": path}, server={"direct": "http://b"}).is_salted
    assert not planned(prompts={"prompts": path, "salt": False}, server={"direct": "http://b"}).is_salted
    assert planned(prompts={"prompts": path, "salt": True}).is_salted


def test_an_earlier_run_gives_names_to_conditions(tmp_path: Path) -> None:
    """Which are unknown without it."""
    path = tmp_path / "old.json"
    path.write_text('{"completed": 3}')
    plan = planned(verdict={"vs": path, "fail_if": ("change.p99_ttft_ms > 10",)})
    assert plan.earlier == {"completed": 3}


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ({"server": {"url": "ftp://a"}}, "'ftp://a' is no address"),
        ({"server": {"direct": "ftp://a"}}, "'ftp://a' is no address"),
        ({"server": {"header": ("x",)}}, "it takes a name and a value"),
        ({"server": {"header": (": x",)}}, "it takes a name and a value"),
        ({"server": {"header": ("x: a\r\ny: b",)}}, "it takes a name and a value"),
        ({"server": {"body": "{"}}, "--body {: it is no JSON"),
        ({"server": {"body": "[1]"}}, "it takes a JSON object"),
        ({"server": {"direct": "b:1"}, "load": {"sweep": "1,2"}}, "--direct and --sweep cannot be combined"),
        ({"load": {"sweep": "1,2"}}, "--sweep needs --goodput"),
        ({"load": {"sweep": "x"}, "verdict": {"goodput": ("ttft:1",)}}, "--sweep x: it takes rates"),
        ({"load": {"rate": "1", "concurrency": 2}}, "--rate and --concurrency cannot be combined"),
        ({"load": {"requests": 1, "duration_s": 2.0}}, "--requests and --duration cannot be combined"),
        ({"load": {"rate": "x"}}, "--rate x: it takes requests per second"),
        ({"load": {"rate": "0"}}, "--rate 0: it takes requests per second"),
        ({"load": {"rate": "1:2:3"}}, "--rate 1:2:3: it takes requests per second"),
        ({"load": {"rate": "inf"}}, "--rate inf: it takes requests per second"),
        ({"prompts": {"synthetic": "5"}}, "--synthetic 5: it takes tokens in and out"),
        ({"prompts": {"synthetic": "5,0"}}, "--synthetic 5,0: it takes tokens in and out"),
        ({"prompts": {"prompts": Path("no-such-file")}}, "The prompts in no-such-file cannot be read"),
        ({"verdict": {"goodput": ("x:1",)}}, "--goodput x:1"),
        ({"verdict": {"vs": Path("no-such-file")}}, "--vs no-such-file cannot be read"),
        ({"verdict": {"fail_if": ("delta.p99_ttft_ms > 1",)}}, "there is no figure 'delta.p99_ttft_ms'"),
        ({"verdict": {"fail_if": ("change.failed > 1",)}}, "there is no figure 'change.failed'"),
    ],
)
def test_a_mistake_is_one_sentence(groups: dict[str, dict[str, Any]], sentence: str) -> None:
    """Before anything is asked of anybody."""
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        planned(**groups)
    assert "\n" not in str(caught.value)
