"""YAML read with the line of each value; duplicate keys and unreadable text are faults with a line.

PyYAML keeps the last of two equal keys and repeats pieces of the text in its errors. Here the first is a fault, and
the second is held back, because a settings file holds secrets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from typing_extensions import override
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from vllm_gateway.settings.places import Place, written
from vllm_gateway.settings.tree import Tree

MAX_VALUES = 10_000
"""More values than any real file holds; anchors that multiply each other pass it quickly."""


class YamlFault(Exception):
    """The text cannot be read; `line` counts from 1, and is 0 when the fault is in no line."""

    def __init__(self, sentence: str, line: int = 0) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.line = line


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that holds no other value (or an empty container), and the line it begins in."""

    place: Place
    value: object
    line: int


class _Loader(yaml.SafeLoader):
    """Composes nodes, and refuses a mapping that has one key twice."""

    @override
    def compose_mapping_node(self, anchor: Any) -> MappingNode:  # the stub has another type than the library
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise YamlFault("a key must be text", key.start_mark.line + 1)
            if key.value in seen:
                raise YamlFault(f"the key {key.value} is given twice; keep one", key.start_mark.line + 1)
            seen.add(key.value)
        return node


def read_leaves(text: str) -> list[Leaf]:
    """Return every value of the text with its place and line; raise `YamlFault` when it is not plain YAML."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return [] if node is None else _bounded(_leaves(loader, node, ()))
        finally:
            loader.dispose()
    except yaml.YAMLError as fault:
        raise _told(fault) from None
    except RecursionError:
        raise YamlFault("is nested too deeply, or holds itself") from None


def read_value(text: str) -> object:
    """Return the value of a short YAML text, such as one that an environment variable holds."""
    tree = Tree()
    for leaf in read_leaves(text):
        tree.put(("value", *leaf.place), leaf.value, origin="")
    return tree.values.get("value")


def _bounded(leaves: Iterator[Leaf]) -> list[Leaf]:
    kept: list[Leaf] = []
    for leaf in leaves:
        if len(kept) == MAX_VALUES:
            raise YamlFault(f"holds more than {MAX_VALUES} values")
        kept.append(leaf)
    return kept


def _leaves(loader: _Loader, node: Node, place: Place) -> Iterator[Leaf]:
    line = node.start_mark.line + 1
    if isinstance(node, MappingNode) and node.value:
        loader.flatten_mapping(node)
        latest = {_key(loader, key, place): value for key, value in node.value}
        for name, value in latest.items():
            yield from _leaves(loader, value, (*place, name))
    elif isinstance(node, SequenceNode) and node.value:
        for index, value in enumerate(node.value):
            yield from _leaves(loader, value, (*place, index))
    else:
        yield Leaf(place, _constructed(loader, node), line)


def _key(loader: _Loader, node: Node, place: Place) -> str:
    key = _constructed(loader, node)
    if not isinstance(key, str):
        inside = f" in {written(place)}" if place else ""
        raise YamlFault(f"the key {node.value}{inside} must be text; put it in quotes", node.start_mark.line + 1)
    return key


def _constructed(loader: _Loader, node: Node) -> object:
    try:
        return loader.construct_object(node, deep=True)
    except (AttributeError, LookupError, ValueError):
        # PyYAML lets these out of dates that there are not, of endless numbers, and of `!!bool x`
        raise YamlFault(
            "a value looks like a date or a number and is none; put it in quotes", node.start_mark.line + 1
        ) from None


def _told(fault: yaml.YAMLError) -> YamlFault:
    """Return the fault with its line and column, and without the pieces of the text that PyYAML quotes."""
    if not isinstance(fault, MarkedYAMLError) or fault.problem_mark is None:
        return YamlFault("is not YAML: it holds a character that YAML does not allow")
    mark = fault.problem_mark
    return YamlFault(f"column {mark.column + 1}: is not YAML: {_reason(fault)}", mark.line + 1)


def _reason(fault: MarkedYAMLError) -> str:
    """Return PyYAML's words where they hold single characters of the text at most, else our own."""
    if isinstance(fault, ConstructorError) or "tag handle" in (fault.problem or ""):
        return "a value that begins with ! is a tag, and this tag means nothing; put the value in quotes"
    if isinstance(fault, ComposerError):
        return (
            "a value that begins with * must name an anchor, and there must be one document; "
            "put the value in quotes if it is text"
        )
    return fault.problem or "it cannot be read"
