"""Settings as plain values and one-line YAML, with secrets masked."""

import yaml
from pydantic import SecretStr

from vllm_gateway.settings.section import Section

MASK = "********"


def plain(value: object) -> object:
    """Return the value as YAML and JSON know it; a secret becomes a mask."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Section):
        return {key: plain(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def one_line(value: object) -> str:
    """Return the value as YAML that fits behind a key."""
    text = yaml.dump(
        plain(value),
        Dumper=_OneLine,
        default_flow_style=True,
        width=1_000_000,
        allow_unicode=True,
        sort_keys=False,
    )
    return text.removesuffix("\n").removesuffix("...").strip()


class _OneLine(yaml.SafeDumper):
    """Writes a text that would take several lines in double quotes, where line breaks have an escape."""


def _text(dumper: _OneLine, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_OneLine.add_representer(str, _text)
