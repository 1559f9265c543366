"""`docs/configuration.md`: the reference of all settings, made from the model and the tables of names."""

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.settings.pages.values import one_line
from vllm_gateway.settings.places import Place, is_section, shape_at, variable, written
from vllm_gateway.settings.section import Section
from vllm_gateway.settings.sources.aliases import ALIASES, ROUTE_PREFIX, UPSTREAM_KEY, UPSTREAM_NAMES

_HEAD = """\
<!-- Made by `vllm-gateway config docs`; change the settings model, not this file. -->
# Configuration

Everything has a default, so nothing has to be set: `vllm-gateway serve` alone starts on the embedded engine.

```console
$ vllm-gateway config init           # writes a commented gateway.yaml
$ vllm-gateway config check          # finds every mistake at once; exit status 1 if there is one
$ vllm-gateway config show           # what counts, and where each value came from; secrets masked
$ vllm-gateway config schema         # JSON Schema, for editors
```

## Where settings come from

The first of these that gives a value wins:

1. a flag of the command line, such as `--port`;
2. an environment variable, such as `GATEWAY_PORT` or `GATEWAY_TIMEOUTS__IDLE_S`;
3. the file `.env` in the working directory, with the same names. It is only read: nothing from it enters the
   environment, and `${...}` in it is left alone;
4. the settings file: `--config`, else `GATEWAY_CONFIG`, else `gateway.yaml` in the working directory if it is there;
5. a [name of an earlier service](#names-of-earlier-services), from the environment or `.env`;
6. the default.

Rules that hold everywhere:

* An unknown key, in the file or behind `GATEWAY_`, is a mistake, and so is a value that this version cannot honour.
  Variables that Kubernetes makes for a service called `gateway` are left alone.
* An empty environment variable counts as not set. A key with nothing behind it in the file (`limits:`) keeps its
  default.
* Lists and mappings are written in the environment as YAML or JSON: `GATEWAY_ALLOWED_MODELS='[a, b]'`. A list
  replaces the list of the file. One entry of a list is reached by its number:
  `GATEWAY_UPSTREAMS__0__API_KEY`.
* Every variable also exists as `<NAME>_FILE`, which names a file that holds the value:
  `GATEWAY_UPSTREAMS__0__API_KEY_FILE=/run/secrets/vllm_key`. One newline at its end is not part of the value.
* Texts in the settings file may hold `${NAME}` and `${NAME:-default}`, filled in from the environment and `.env`. A
  name that is not set and has no default is a mistake. `$${NAME}` stands for the text `${NAME}`.
* Times are seconds.
"""

_ALIASES_HEAD = """\
## Names of earlier services

These environment variables are understood as well, each as `<NAME>_FILE` too. They count only where nothing else
has set the value; `config show` names the one that was used. Of several names in one row the first that is set
counts.

| variable | sets |
|---|---|
"""


def reference() -> str:
    """Return the whole page."""
    parts = [_HEAD, _table("Settings", "", Settings, ())]
    parts.append(_table("upstreams", _described(Settings.model_fields["upstreams"]), Upstream, ("upstreams", 0)))
    parts += _tables(Settings, ())
    parts.append(_ALIASES_HEAD + "".join(f"| {names} | {sets} |\n" for names, sets in _alias_rows()))
    return "\n".join(parts)


def _tables(section: type[Section], place: Place) -> Iterator[str]:
    """Yield the tables of the sections inside a section, and of those inside them."""
    for key, field in section.model_fields.items():
        inner = shape_at((*place, key))
        if is_section(inner):
            yield _table(written((*place, key)), _described(field), inner, (*place, key))
            yield from _tables(inner, (*place, key))


def _table(title: str, text: str, section: type[Section], place: Place) -> str:
    heading = f"## `{title}`\n\n{text}\n" if place else f"## {title}\n"
    rows = "".join(
        _row((*place, key), field)
        for key, field in section.model_fields.items()
        if not is_section(shape_at((*place, key)))
    )
    return f"{heading}\n| key | environment | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(place: Place, field: FieldInfo) -> str:
    default = "required" if field.is_required() else f"`{one_line(field.default)}`"
    return f"| `{written(place)}` | `{variable(place)}` | {default} | {_described(field)} |\n"


def _described(field: FieldInfo) -> str:
    return " ".join((field.description or "").split()).replace("|", "\\|")


def _alias_rows() -> Iterator[tuple[str, str]]:
    yield _names(UPSTREAM_NAMES), "the address of one upstream of the route `default`, if no upstream is configured"
    yield f"`{ROUTE_PREFIX}<KEY>`", "the address of one upstream of the route `<key>`, if no upstream is configured"
    yield f"`{UPSTREAM_KEY}`", "`api_key` of every upstream that has none"
    for alias in ALIASES:
        yield _names(alias.names), ", ".join(f"`{written(place)}`" for place in alias.places) + alias.note


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
