"""Promises for tests, read from as little YAML as it takes."""

import pytest

from services.chassis.documents import ProblemsFoundError
from services.promises.language import read
from services.promises.language.declarations import Promise

PROMISE = """apiVersion: makegood/v1
kind: Promise
metadata: {name: parcel-on-time, owner: logistics}
spec:
  statement: Your parcel arrives by the date we showed you.
"""
CALENDAR = """apiVersion: makegood/v1
kind: Calendar
metadata: {name: office}
spec: {zone: Europe/Madrid, week: {mon-fri: ["09:00-17:00"]}}
---
"""
SPEC_LINE = PROMISE.count("\n") + 1
"""The line on which what is added to `PROMISE` begins."""


def promise(spec: str, before: str = "") -> Promise:
    """The promise that has this beside its statement."""
    *_, document = read(before + PROMISE + spec, "p.yaml")
    assert isinstance(document.declares, Promise)
    return document.declares


def complaints(text: str) -> list[str]:
    """Everything that is wrong with a file."""
    with pytest.raises(ProblemsFoundError) as problems:
        read(text, "p.yaml")
    return [str(each) for each in problems.value.findings]


def complaints_of(spec: str, before: str = "") -> list[str]:
    """What is wrong with a promise that has this beside its statement, with line and column counted from there."""
    skipped = before.count("\n") + SPEC_LINE - 1
    found = [each.removeprefix("p.yaml:").split(":", 1) for each in complaints(before + PROMISE + spec)]
    return [f"{int(line) - skipped}:{rest}" for line, rest in found]
