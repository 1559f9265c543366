"""Chat templates come out as Jinja would write them for `transformers`."""

import builtins
import importlib
import sys
from datetime import datetime

import pytest

from vllm_gateway.sessions.template import ChatTemplate, TemplateRefused, TokenizerUnusable, library

OBJECT = {"z": 1, "a": True, "n": None, "s": "it's <é>", "f": 1.5, "l": [1, "x"]}
MESSAGES = [{"role": "user", "content": "hé"}, {"role": "assistant", "content": ""}]


# The right sides were written by Jinja, set up as `transformers` does it.
@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("{{ true }} {{ none }} {{ object.f }}", "True None 1.5"),
        ("{{ object }}", "{'z': 1, 'a': True, 'n': None, 's': \"it's <é>\", 'f': 1.5, 'l': [1, 'x']}"),
        ("{{ object | tojson }}", '{"z": 1, "a": true, "n": null, "s": "it\'s <é>", "f": 1.5, "l": [1, "x"]}'),
        ("{{ [1, {'a': 2}] | tojson(indent=1) }}", '[\n 1,\n {\n  "a": 2\n }\n]'),
        ("{{ {'b': 1, 'a': 'é'} | tojson(ensure_ascii=true, sort_keys=true) }}", '{"a": "\\u00e9", "b": 1}'),
        ("{{ {'b': [1, 2]} | tojson(separators=(',', ':')) }}", '{"b":[1,2]}'),
        ("{{ '<b>&' }}", "<b>&"),
        ("a\n  {%- if true %}\n  b\n  {% endif -%}\n  c\n{# c #}\nd\n", "a  b\nc\nd"),
        ("{{ '  a\n'.strip() }}|{{ 'x</t>y'.split('</t>')[-1].lstrip('y') }}|{{ 'ab'.startswith('a') }}", "a||True"),
        ("{% for k, v in object.items() %}{{ k }}{% endfor %}{{ object.get('q', 'w') }}", "zansflw"),
        ("{{ messages[::-1][0].role }} {{ messages[1:] | length }}", "assistant 1"),
        ("{{ messages | map(attribute='role') | list }}", "['user', 'assistant']"),
        ("{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "3"),
        ("{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "13"),
        ("{% macro f(x, y=2) %}[{{ x }}{{ y }}]{% endmacro %}{{ f(1) }}{{ f(1, y=3) }}", "[12][13]"),
        ("{% for m in messages %}{{ loop.index0 }}{{ loop.last }}{% endfor %}", "0False1True"),
        ("{{ nope }}|{{ nope is defined }}|{{ nope or 'z' }}|{{ messages[0].nope | default('d') }}", "|False|z|d"),
        ("{{ 'x' is iterable }} {{ object is sequence }} {{ 1 is iterable }}", "True True False"),
        ("{%- generation -%} x {%- endgeneration -%} y{% generation %}z{% endgeneration %}", "xyz"),
    ],
)
def test_a_template_is_rendered_as_jinja_renders_it(text: str, prompt: str) -> None:
    """Values, JSON, spaces, methods of Python and what `transformers` adds."""
    assert ChatTemplate(text).render({"object": OBJECT, "messages": MESSAGES}) == prompt


def test_the_date_of_today_is_known() -> None:
    """Templates write it into system prompts."""
    before = datetime.now().strftime("%Y-%m-%d")  # noqa: DTZ005 - templates get the local time
    told = ChatTemplate("{{ strftime_now('%Y-%m-%d') }}").render({})
    assert before <= told <= datetime.now().strftime("%Y-%m-%d")  # noqa: DTZ005 - see above


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ raise_exception('Roles must alternate!') }}", "Roles must alternate!"),
        ("{{ nope.nope.nope }}", "undefined"),
    ],
)
def test_a_template_that_fails_refuses_the_conversation(text: str, reason: str) -> None:
    """Its own reason is told, in one line."""
    with pytest.raises(TemplateRefused, match=reason) as refused:
        ChatTemplate(text).render({})
    assert "\n" not in str(refused.value)


def test_a_template_that_is_none_is_found_at_once() -> None:
    """Not only when the first conversation comes."""
    with pytest.raises(TokenizerUnusable, match=r"^The chat template cannot be read: .*\.$"):
        ChatTemplate("{% if %}")


def test_a_missing_package_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway runs without the extra until somebody asks for it."""
    monkeypatch.setitem(sys.modules, "minijinja", None)
    with pytest.raises(TokenizerUnusable, match=r"Run: pip install 'vllm-gateway\[tokenizer\]'$"):
        ChatTemplate("")
    assert library("builtins") is builtins
    assert library("importlib") is importlib
