"""Replicas' own metrics, as a part of the gateway's page: `vllm:*`, each series with the name of its replica.

Replicas are not trusted with the format. What is passed on is what can be read as a sample, a help or a type; a line
that is anything else would cost Prometheus the whole page.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from vllm_gateway.telemetry.metrics.text import escaped

_PAIR = rb'(?!__)[A-Za-z_][A-Za-z0-9_]*="[^"\\\x00-\x1f]*(?:\\[\\"n][^"\\\x00-\x1f]*)*"'
_LINE = re.compile(
    rb"^(?:# (HELP|TYPE) (vllm:[A-Za-z0-9_:]+) ([^\x00-\x1f]*)"
    rb"|(vllm:[A-Za-z0-9_:]+)(?:\{((?:%b(?:,%b)*)?),?\})?"
    % (_PAIR, _PAIR)
    + rb"[ \t]+([+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|Inf|inf)|NaN|nan)(?:[ \t]+-?[0-9]+)?)[ \t]*\r?$",
    re.MULTILINE,
)
_NAME = re.compile(rb'([A-Za-z_][A-Za-z0-9_]*)="')
_OWN = re.compile(rb"(?:(?<=^)|(?<=,))replica=")
_TYPES = frozenset({b"counter", b"gauge", b"histogram", b"summary", b"untyped"})
_PARTS = frozenset({b"", b"_bucket", b"_sum", b"_count"})
"""What the names of a metric's samples have behind its own."""


@dataclass(slots=True)
class Family:
    """One metric, with its series of all replicas."""

    help: bytes = b""
    type: bytes = b""
    samples: list[bytes] = field(default_factory=list)


class ReplicaPages:
    """Puts the pages of all replicas together; what it has read of a page it remembers while that stays the same."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[bytes, dict[bytes, Family]]] = {}

    def read(self, replica: str, page: bytes) -> dict[bytes, Family]:
        """Return the metrics of one replica."""
        known = self._read.get(replica)
        if known is None or known[0] is not page:
            known = self._read[replica] = (page, families(replica, page))
        return known[1]

    def has_read(self, replica: str, page: bytes) -> bool:
        """Say whether this page of a replica has been read already, so that `read` costs nothing."""
        known = self._read.get(replica)
        return known is not None and known[0] is page

    def keep(self, replicas: Iterable[str]) -> None:
        """Forget all but these."""
        wanted = set(replicas)
        self._read = {name: known for name, known in self._read.items() if name in wanted}


def families(replica: str, page: bytes) -> dict[bytes, Family]:
    """Read a page, and name the replica in each of its series."""
    found: dict[bytes, Family] = {}
    label = b'replica="' + escaped(replica).encode() + b'"'
    now = b""
    if not page.isascii():
        page = page.decode("utf-8", "replace").encode()
    for what, named, words, name, labels, value in _LINE.findall(page):
        if what:
            now = named
            family = found.setdefault(now, Family())
            if what == b"HELP":
                family.help = family.help or words
            elif words in _TYPES:
                family.type = family.type or words
            continue
        if not (name.startswith(now) and name[len(now) :] in _PARTS):
            now = name
        if (others := _others(labels)) is None:
            continue
        if now not in found:
            found[now] = Family()
        found[now].samples.append(b"%b{%b} %b\n" % (name, label + others, value))
    return found


def _others(labels: bytes) -> bytes | None:
    """Return a sample's own labels as they stand behind the replica's; None where one stands there twice."""
    if not labels:
        return labels
    if b"replica=" in labels:
        labels = _OWN.sub(b"exported_replica=", labels)
    names = _NAME.findall(labels)
    return b"," + labels if len(set(names)) == len(names) else None


def together(all_families: Iterable[dict[bytes, Family]]) -> bytes:
    """Return one text of the metrics of several replicas: each metric once, with the series of all."""
    merged: dict[bytes, Family] = {}
    for one in all_families:
        for name, family in one.items():
            into = merged.setdefault(name, Family(family.help, family.type))
            if into.type == family.type:
                into.samples += family.samples
    lines: list[bytes] = []
    for name, family in merged.items():
        if family.samples:
            if family.help:
                lines.append(b"# HELP " + name + b" " + family.help + b"\n")
            lines.append(b"# TYPE " + name + b" " + (family.type or b"untyped") + b"\n")
            lines += family.samples
    return b"".join(lines)
