"""An environment file to begin with: every variable of the settings explained, all of them commented out."""

import textwrap
from collections.abc import Iterator

from vllm_gateway.settings.pages.values import one_line
from vllm_gateway.settings.places import Place, fields, variable

_WIDTH = 100
_HEAD = """\
# Settings of the gateway. What is commented out shows the default. Each variable also exists as <NAME>_FILE, which
# names a file that holds the value: use that for secrets. `vllm-gateway config check` finds mistakes.
# Made by `vllm-gateway config env`; change the settings model, not these lines.
"""


def environment_file() -> str:
    """Return the text of the file; as it is, it sets nothing."""
    return _HEAD + "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    section: Place = ()
    for place, field in fields():
        around = place[:-1]
        if around != section:
            section = around
            yield ""
            yield f"# --- {'.'.join(key for key in around if isinstance(key, str)) or 'on the whole'} ---"
        yield ""
        yield from (f"# {line}" for line in textwrap.wrap(" ".join((field.description or "").split()), _WIDTH))
        default = "" if field.is_required() else one_line(field.default)
        yield f"#{variable(place)}={'' if default == 'null' else default}"
