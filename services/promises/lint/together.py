"""What is to be said of promises, calendars and principles beside each other."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from typing import Final

from services.chassis.documents import one_of
from services.promises.language.declarations import Document, EventType
from services.promises.lint.drafts import Draft, Remark, entries, exceeds, inside, same
from services.promises.lint.seen import Seen

Place = tuple[str, Document]
"""A document and its file."""
SOON: Final = timedelta(days=365)


def remarks(drafts: Sequence[Draft], documents: Sequence[Place], now: datetime, seen: Seen | None) -> Iterator[Remark]:
    """Yield what is to be said of all promises and documents together."""
    return chain(
        _overlaps(drafts, {} if seen is None else seen.opened_both),
        _supports(drafts),
        _stricter(drafts),
        _principles(drafts, documents),
        _personal(drafts, documents),
        _ending(documents, now if seen is None else seen.latest or now),
    )


def _overlaps(drafts: Sequence[Draft], opened_both: Mapping[frozenset[str], int]) -> Iterator[Remark]:
    """Find two promises that owe the same for the same events: by their words, or as a history shows."""
    for one, other in combinations(drafts, 2):
        alike = one.pattern == other.pattern and one.audience == other.audience
        if not alike or not same(one.expectations(), other.expectations()):
            continue
        both = opened_both.get(frozenset((one.name, other.name)), 0)
        if same(one.trigger(), other.trigger()):
            message = f"this and `{one.name}` ({one.file}:{one.body.line}) owe the same for the same events"
        elif both:
            message = f"{both} events open both this and `{one.name}` ({one.file}:{one.body.line}), which owe the same"
        else:
            continue
        yield Remark(other.file, other.at(other.pattern), f"{message}; keep one, or tell them apart by `where`")


def _supports(drafts: Sequence[Draft]) -> Iterator[Remark]:
    """Find internal promises that hold nothing up, and links to what is not there."""
    names = {each.name for each in drafts}
    for each in drafts:
        links = entries(inside(each.spec, "supports"))
        if each.audience == "internal" and not links:
            message = "this internal promise holds nothing up; name under `supports` the promises that rest on it"
            yield Remark(each.file, each.at("audience"), message)
        for link in links:
            if link.content == each.name:
                yield Remark(each.file, link, "a promise does not support itself; name the one that rests on it")
            elif link.content not in names:
                message = f"there is no promise `{link.content}` in these files; correct the name, or lint its file together with this one"
                yield Remark(each.file, link, message)


def _stricter(drafts: Sequence[Draft]) -> Iterator[Remark]:
    """Find a budget smaller than what it rests on may take."""
    named = {each.name: each for each in drafts}
    resting = (
        (named[str(link.content)], inner)
        for inner in drafts
        for link in entries(inside(inner.spec, "supports"))
        if str(link.content) in named
    )
    for outer, inner in resting:
        for its in outer.budgets():
            for slower in [mine for mine in inner.budgets() if exceeds(mine, its)]:
                message = f"`{its.content}` is stricter than `{inner.name}` allows, on which it rests and which may take `{slower.content}`"
                yield Remark(outer.file, its, f"{message}; give more time, or tighten that one")


def _principles(drafts: Sequence[Draft], documents: Sequence[Place]) -> Iterator[Remark]:
    """Find principles that nobody serves, and, where any are declared, ones that are served and stand nowhere."""
    declared = [(file, each) for file, each in documents if each.kind == "Principle"]
    above = {each.name: _words(each, "under") for _, each in declared}
    called = {word: each.name for _, each in declared for word in (each.name, _words(each, "statement")) if word is not None}
    served: set[str] = set()
    for draft in drafts if declared else ():
        at = inside(draft.spec, "principle")
        if at is not None and at.content not in called:
            right = one_of(str(at.content), called)
            message = f"this principle stands nowhere; declare it as `kind: Principle`, or name one that is declared: {right}"
            yield Remark(draft.file, at, message)
        name = None if at is None else called.get(str(at.content))
        while name is not None and name not in served:  # whoever serves it serves what it stands under
            served.add(name)
            name = above.get(name)
    for file, each in declared:
        if each.name not in served:
            message = "no promise serves this principle; name it as the `principle` of one, or leave it out"
            yield Remark(file, inside(each.root, "metadata", "name") or each.root, message)


def _words(document: Document, key: str) -> str | None:
    found = inside(document.root, "spec", key)
    return found.content if found is not None and isinstance(found.content, str) else None


def _personal(drafts: Sequence[Draft], documents: Sequence[Place]) -> Iterator[Remark]:
    """Find counts that would be kept by what must be erased with the customer."""
    described = [each.declares for _, each in documents if isinstance(each.declares, EventType)]
    personal = {
        each.type: {".".join(path) for path in (*each.personal, *(one.path for one in each.identifiers if one.person))}
        for each in described
    }  # what a person is found by is personal by nature
    for draft in drafts:
        types = {str(each.content) for match in draft.trigger() for each in match.types}
        for segment in entries(inside(draft.spec, "segment")):
            if any(segment.content in personal.get(each, ()) for each in types):
                message = f"`{segment.content}` is personal, and a segment outlives the customer; count by another field"
                yield Remark(draft.file, segment, message)
        for amount in entries(inside(draft.spec, "recovery", "at_stake", "amount")):
            if any(amount.content in personal.get(each, ()) for each in types):
                message = f"`{amount.content}` is personal, and what is at stake stays in the trail of a case; read it from another field"
                yield Remark(draft.file, amount, message)


def _ending(documents: Sequence[Place], now: datetime) -> Iterator[Remark]:
    """Find calendars that are about to end, beyond which no deadline can be computed."""
    for file, each in documents:
        at = inside(each.root, "spec", "valid", "until") if each.kind == "Calendar" else None
        if at is None:
            continue
        end = datetime.fromisoformat(str(at.content))
        if end.replace(tzinfo=end.tzinfo or UTC) < now + SOON:
            message = f"`{each.name}` ends on {at.content}, less than a year after {now:%Y-%m-%d}"
            yield Remark(file, at, f"{message}; a deadline beyond its end is an error, so prolong it")
