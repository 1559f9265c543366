"""A settings file to begin with: every setting explained, all of them at their defaults."""

import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.settings.pages.schema import FILE_NAME
from vllm_gateway.settings.pages.values import one_line
from vllm_gateway.settings.places import Place
from vllm_gateway.settings.section import Section

_WIDTH = 110
_HEAD = f"""\
# yaml-language-server: $schema={FILE_NAME}
## Settings of vllm-gateway. What is commented out shows the default: remove one `#` to change it.
## `vllm-gateway config check` finds mistakes, `vllm-gateway config show` tells what counts and why,
## `vllm-gateway config schema > {FILE_NAME}` lets your editor help.
"""
_EXAMPLE = {"url": "http://127.0.0.1:8000/v1", "api_key": "${VLLM_KEY:-}"}


def starter() -> str:
    """Return the text of the file; it is valid as it is, and with every setting uncommented."""
    return _HEAD + "".join(f"{line}\n" for line in _section(Settings, ()))


def _section(section: type[Section], place: Place) -> Iterator[str]:
    indent = "  " * len(place)
    for key, field in section.model_fields.items():
        inner = (*place, key)
        if isinstance(field.default, Section):
            yield from _subsection(type(field.default), inner, field)
            continue
        if not place:
            yield ""
        yield from _comment(field.description or "", indent)
        if inner == ("upstreams",):
            yield from _upstreams()
        else:
            yield f"#{indent}{key}: {one_line(field.default)}"


def _subsection(section: type[Section], place: Place, field: FieldInfo) -> Iterator[str]:
    lines = list(_section(section, place))
    indent = "  " * (len(place) - 1)
    if lines:
        if not indent:
            yield ""
        yield from _comment(field.description or "", indent)
        yield f"#{indent}{place[-1]}:"
        yield from lines


def _upstreams() -> Iterator[str]:
    yield "#upstreams:"
    for number, (key, field) in enumerate(Upstream.model_fields.items()):
        yield from _comment(field.description or "", "    ")
        yield f"#  {'-' if number == 0 else ' '} {key}: {_EXAMPLE.get(key) or one_line(field.default)}"


def _comment(text: str, indent: str) -> Iterator[str]:
    """Yield the text as comment lines; two marks tell them from settings that are commented out."""
    yield from (f"{indent}## {line}" for line in textwrap.wrap(" ".join(text.split()), _WIDTH - len(indent)))
