"""Reads documents of the form `apiVersion, kind, metadata, spec` from YAML or JSON, and knows where everything stands.

Every complaint is a finding with line and column, and all of them are collected: nobody wants to hear of one a time.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

API_VERSION: Final = "makegood/v1"
MOST_BYTES: Final = 1024 * 1024
_INTEGER, _FLOAT, _BOOL, _NULL = (f"tag:yaml.org,2002:{each}" for each in ("int", "float", "bool", "null"))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NAMES: Final = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong at one place of a file, and what would be right."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Render as compilers do, so that editors can jump to it."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ProblemsFoundError(ValueError):
    """The documents are not right yet: every finding says where and what."""

    def __init__(self, findings: list[Finding]) -> None:
        """Keep the findings in the order of their places."""
        self.findings = sorted(set(findings))
        super().__init__("\n".join(map(str, self.findings)))


@dataclass(frozen=True, slots=True)
class Value:
    """A value and where it stands; a mapping holds `Value`s by key, with the keys' own places beside them."""

    content: Any
    line: int
    column: int
    keys: dict[str, "Value"] = field(default_factory=dict)

    def plain(self) -> Any:
        """Return the value as JSON has it."""
        match self.content:
            case dict():
                return {key: each.plain() for key, each in self.content.items()}
            case list():
                return [each.plain() for each in self.content]
        return self.content


class Findings:
    """Collects what is wrong with one file."""

    def __init__(self, file: str) -> None:
        """Begin with nothing found."""
        self.file = file
        self.found: list[Finding] = []

    def add(self, at: Value, message: str) -> None:
        """Note what is wrong at a value."""
        self.found.append(Finding(self.file, at.line, at.column, message))

    def raise_if_any(self) -> None:
        """Raise `ProblemsFoundError` with all of them."""
        if self.found:
            raise ProblemsFoundError(self.found)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its kind and name, and its two sections still to be read."""

    kind: str
    name: str
    root: Value
    metadata: "Fields"
    spec: "Fields"


class Fields:
    """One mapping, read key by key; `done` complains about the keys that nobody asked for."""

    def __init__(self, value: Value, name: str, findings: Findings) -> None:
        """Read nothing yet; a value that is no mapping is a finding, and reads as an empty one."""
        self.value, self.name, self.findings = value, name, findings
        self._asked: list[str] = []
        self.known: dict[str, Value] = {}
        if isinstance(value.content, dict):
            self.known = value.content
        else:
            findings.add(value, f"{name} must be a mapping, as in `key: value`")

    def __contains__(self, key: str) -> bool:
        """Whether the key was written."""
        return key in self.known

    def at(self, key: str) -> Value:
        """Return the place of a key, or of the mapping where it has none."""
        return self.value.keys.get(key, self.value)

    def get(self, key: str, *, required: bool = False) -> Value | None:
        """Return the value of a key, None where it is left out."""
        self._asked.append(key)
        found = self.known.get(key)
        if found is None and required:
            self.findings.add(self.value, f"{self.name} needs `{key}`")
        return found

    def read(self, key: str, kind: type, *, required: bool = False, default: Any = None) -> Any:
        """Return a scalar of one JSON type, the default where it is left out or wrong."""
        found = self.get(key, required=required)
        if found is None:
            return default
        if type(found.content) is not kind and not (kind is float and type(found.content) is int):
            self.findings.add(found, f"`{key}` must be {_NAMES[kind]}{_quoting_hint(found, kind)}")
            return default
        return found.content

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Return a text that is not empty."""
        found = self.read(key, str, required=required)
        if found is not None and not found.strip():
            self.findings.add(self.at(key), f"`{key}` is empty")
            return None
        return str(found) if found is not None else None

    def choice(self, key: str, choices: Collection[str], default: str | None = None) -> str | None:
        """Return one of a few words."""
        found = self.text(key)
        if found is not None and found not in choices:
            self.findings.add(self.known[key], f"`{found}` is not a value of `{key}`; {one_of(found, choices)}")
            return default
        return default if found is None else found

    def items(self, key: str) -> Iterator[Value]:
        """Yield the entries of a list; a single value stands for a list of one."""
        found = self.get(key)
        if found is not None:
            yield from found.content if isinstance(found.content, list) else [found]

    def section(self, key: str, *, required: bool = False) -> "Fields | None":
        """Return a mapping below this one."""
        found = self.get(key, required=required)
        return None if found is None else Fields(found, f"`{key}`", self.findings)

    def done(self) -> None:
        """Complain about every key that was not asked for."""
        for key in self.known:
            if key not in self._asked:
                message = f"{self.name} has no key `{key}`; {one_of(key, self._asked)}"
                self.findings.add(self.at(key), message)


def one_of(wrong: str, choices: Collection[str]) -> str:
    """Say which of the choices was probably meant, else name them all."""
    close = get_close_matches(wrong.lower(), sorted(choices), n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return "it must be one of " + ", ".join(f"`{each}`" for each in sorted(set(choices)))


def documents(text: str, findings: Findings, kinds: Collection[str]) -> list[Document]:
    """Return the documents of a text whose outer form is right; what is wrong with the others is found."""
    if len(text.encode(errors="replace")) > MOST_BYTES:
        findings.add(Value(None, 1, 1), f"the file is larger than {MOST_BYTES} bytes; split it")
        return []
    roots = _parsed(text, findings)
    if not roots and not findings.found:
        findings.add(Value(None, 1, 1), "there is no document in this file")
    return [each for each in (_document(root, findings, kinds) for root in roots) if each is not None]


def _document(root: Value, findings: Findings, kinds: Collection[str]) -> Document | None:
    top = Fields(root, "the document", findings)
    version = top.text("apiVersion", required=True)
    if version is not None and version != API_VERSION:
        findings.add(top.known["apiVersion"], f"`{version}` is not known here; this reads `apiVersion: {API_VERSION}`")
    top.get("kind", required=True)
    kind = top.choice("kind", kinds) if "kind" in top else None
    metadata, spec = top.section("metadata", required=True), top.section("spec", required=True)
    top.done()
    name = metadata.text("name", required=True) if metadata is not None else None
    if metadata is None or spec is None or kind is None:
        return None
    return Document(kind, name or "", root, metadata, spec)


def _parsed(text: str, findings: Findings) -> list[Value]:
    yaml = YAML(typ="safe", pure=True)
    try:
        nodes = [node for node in yaml.compose_all(text) if node is not None]
        return [_value(node, findings) for node in nodes if not _is_nothing(node)]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Value(None, mark.line + 1, mark.column + 1) if mark is not None else Value(None, 1, 1)
        findings.add(place, f"this is not YAML: {error.problem or error.context}")
    except YAMLError as error:
        findings.add(Value(None, 1, 1), f"this is not YAML: {str(error).splitlines()[0]}")
    except RecursionError:
        findings.add(Value(None, 1, 1), "this is nested too deeply")
    return []


def _is_nothing(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == _NULL


def _value(node: Node, findings: Findings) -> Value:
    place = Value(None, node.start_mark.line + 1, node.start_mark.column + 1)
    if node.anchor is not None:
        findings.add(place, "anchors and aliases are not read; write the value out")
        return place
    if isinstance(node, MappingNode):
        return _mapping(node, place, findings)
    if isinstance(node, SequenceNode):
        return Value([_value(each, findings) for each in node.value], place.line, place.column)
    scalar = _scalar(node, place, findings) if isinstance(node, ScalarNode) else None
    return Value(scalar, place.line, place.column)


def _mapping(node: MappingNode, place: Value, findings: Findings) -> Value:
    content: dict[str, Value] = {}
    keys: dict[str, Value] = {}
    for key_node, value_node in node.value:
        key = Value(None, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, ScalarNode):
            findings.add(key, "a key must be a plain word")
            continue
        word = str(key_node.value)
        if word in content:
            findings.add(key, f"`{word}` stands here twice; its first place is line {keys[word].line}")
            continue
        content[word], keys[word] = _value(value_node, findings), key
    return Value(content, place.line, place.column, keys)


def _scalar(node: ScalarNode, place: Value, findings: Findings) -> Any:
    text = str(node.value)
    if not text.isascii() and _SURROGATE.search(text):
        findings.add(place, "this holds half of a surrogate pair; write the character itself, or `\\U` and its eight digits")
        return ""
    try:
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text.lower() == "true"
        if node.tag == _INTEGER:
            return int(text.replace("_", ""), 0) if text.lstrip("+-")[:2] in ("0x", "0o") else int(text)
        if node.tag == _FLOAT and isfinite(float(text)):
            return float(text)
        if node.tag != _FLOAT:
            # dates and times stay the text that was written
            return text
    except ValueError:
        pass
    findings.add(place, f"`{text}` is not a number that JSON has; quote it if it is a text")
    return text


def _quoting_hint(found: Value, kind: type) -> str:
    if kind is str and not isinstance(found.content, dict | list):
        return f", and this is {found.content!r}; quote it"
    return ""
