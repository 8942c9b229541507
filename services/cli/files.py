"""The promise files that a command is given: read together, and what is wrong with any of them is told at once."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, NoReturn

import typer

from services.chassis.documents import Finding, Findings, ProblemsFoundError
from services.journey import principles
from services.journey.documents import language as journey
from services.journey.feeds import document as feeds
from services.promises import language
from services.promises.language import File, Known
from services.promises.language.declarations import Document
from services.recovery import language as playbooks

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, readable=True)]


def read(files: list[Path]) -> list[Document]:
    """Return the documents of all files; ends the command with every finding of all of them, not only of the first."""
    return [document for _, document in read_with_places(files)]


def read_with_places(files: list[Path]) -> list[tuple[str, Document]]:
    """Return each document beside its file's name; ends the command as `read` does."""
    found, findings = read_all(files)
    if findings:
        fail(map(str, findings))
    return [(name, each) for name, documents in found.items() for each in documents]


def read_all(
    files: Iterable[Path], known: Known | None = None, principles: Mapping[str, str | None] = MappingProxyType({})
) -> tuple[Mapping[str, Sequence[Document]], list[Finding]]:
    """The documents of files, which may refer to each other, by the names of their files, and what is wrong with any of them.

    `known` and `principles` are what is published already.
    """
    texts: list[File] = []
    findings: list[Finding] = []
    for file in dict.fromkeys(files):
        try:
            texts.append(File(str(file), file.read_text(encoding="utf-8"), file.parent))
        except UnicodeDecodeError:
            findings.append(Finding(str(file), 1, 1, "this is not UTF-8 text"))
    findings += [each for text in texts for each in feeds.findings(text.text, text.name)]
    try:
        found = language.read_files(texts, known)
    except ProblemsFoundError as problems:
        return {}, sorted({*findings, *problems.findings})
    return found, sorted(findings + _inside(found, principles))


def _inside(found: Mapping[str, Iterable[Document]], known: Mapping[str, str | None]) -> list[Finding]:
    """Return what is wrong inside documents that services beside promises read, by the names of their files.

    `known` are the published principles, each with the one that it stands under.
    """
    findings = []
    for name, documents in found.items():
        noted = Findings(name)
        for each in documents:
            journey.check(each.kind, each.root, noted)
            playbooks.check(each.kind, each.root, noted)
        findings += noted.found
    declared = [(name, each.root) for name, documents in found.items() for each in documents if each.kind == principles.KIND]
    return [*findings, *principles.check(declared, known)]


def fail(lines: Iterable[str]) -> NoReturn:
    """End the command with these lines on standard error."""
    for line in lines:
        sys.stderr.write(line + "\n")
    raise typer.Exit(1)
