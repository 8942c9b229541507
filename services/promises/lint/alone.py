"""What is to be said of a promise by itself."""

import re
from collections.abc import Iterator
from typing import Final

from services.chassis.documents import Value
from services.promises.lint.drafts import Draft, amount, entries, exceeds, inside, same

VAGUE: Final = (
    "as soon as possible|asap|as quickly as possible|(?:where|when|whenever|if) possible|best efforts?|in due course|in good time"
    "|usually|normally|generally|typically|as a rule|hopefully|reasonabl[ey]|try|tries|trying|aim|aims|endeavou?r|strive|strives"
    "|(?<!as )soon|shortly|promptly|quickly|swiftly|speedily|timely|approximately|where appropriate|as appropriate"
)
_WEASEL: Final = re.compile(rf"\b(?:{VAGUE})\b", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"\W*(?:todo|tbd|tba|fixme|xxx|statement|lorem ipsum.*|\W*)\W*", re.IGNORECASE)


def remarks(of: Draft) -> Iterator[tuple[Value, str]]:
    """Yield what is to be said of one promise, each at its place."""
    for rule in (_statement, _published, _stop, _unreachable, _warnings):
        yield from rule(of)


def _statement(of: Draft) -> Iterator[tuple[Value, str]]:
    """Find a statement that says nothing, or nothing that can be checked."""
    at, text = inside(of.spec, "statement"), of.text("statement") or ""
    if at is None or _PLACEHOLDER.fullmatch(text):
        yield at or of.spec, "there is no statement yet; say in one sentence what the customer may count on"
    elif (vague := _WEASEL.search(text)) is not None:
        yield at, f"`{vague[0]}` promises nothing that can be checked; say how much, or by when"


def _published(of: Draft) -> Iterator[tuple[Value, str]]:
    """Find a customer promise that no customer can read."""
    if of.audience == "customer" and not entries(inside(of.spec, "published")):
        message = "the customer reads this nowhere before the first contact; say where under `published`, or make it `audience: internal`"
        yield of.at("published" if "published" in of.spec.keys else "statement"), message


def _stop(of: Draft) -> Iterator[tuple[Value, str]]:
    """Find what nothing ever ends."""
    failing = bool(of.named("broken_by")) or bool(entries(inside(of.spec, "targets")))
    for pattern, body in of.parts():
        at = next(iter(body.keys.values()), body)
        timed = any(inside(body, key) is not None for key in ("within", "by"))
        if pattern == "response" and not timed and not failing:
            yield at, "nothing ever breaks this: it waits for ever; add `within` or `by`, or say with `broken_by` what shows the failure"
        if pattern == "recurrence" and inside(body, "until") is None:
            yield at, "nothing ever keeps this: it recurs for ever; say with `until` what ends it"
        if pattern == "settlement" and not timed and inside(body, "until") is None:
            yield at, "nothing ever breaks this: it waits for ever; add `within`, `by` or `until`"
    for step in of.steps():
        if all(inside(step, key) is None for key in ("within", "by")) and not failing:
            yield step, "this step is never late; add `within` or `by`"


def _unreachable(of: Draft) -> Iterator[tuple[Value, str]]:
    """Find words that mean the same events, so that one of them never has its effect; and times that exclude each other."""
    counted = inside(of.body, "count") is not None
    for one, other, why in SAME:
        mine, its = of.named(one), of.named(other)
        if same(mine, its) and not (counted and other == "expect"):
            yield mine[0].value, f"`{mine[0].key}` and `{its[0].key}` are the same events: {why}"
    early, late = inside(of.body, "no_sooner_than"), inside(of.body, "within")
    if early is not None and late is not None and exceeds(early, late):
        yield early, f"nothing is at least `{early.content}` and at most `{late.content}` before; correct one of them"
    yield from _shadowed(of)


def _shadowed(of: Draft) -> Iterator[tuple[Value, str]]:
    before: list[object] = []
    for target in entries(inside(of.spec, "targets")):
        where = inside(target, "where")
        plain = None if where is None else where.plain()
        if plain in before or None in before:
            yield target, "no trigger gets to this target: one above it takes them all; the first that matches wins"
        before.append(plain)


def _warnings(of: Draft) -> Iterator[tuple[Value, str]]:
    """Find a warning that would come before the trigger, or with it."""
    for warning in entries(inside(of.spec, "warn")):
        for budget in of.budgets():
            if exceeds(warning, budget) or amount(warning) == amount(budget) is not None:
                yield warning, f"`{warning.content}` before due is not after the trigger: the budget is `{budget.content}`; warn within it"


SAME: Final = (
    ("cancel", "trigger", "each trigger withdraws the one before; was `reset` meant?"),
    ("cancel", "expect", "what is expected keeps it first, so that it is never withdrawn; leave out `cancel`"),
    ("broken_by", "expect", "what is expected keeps it first, so that it never fails; leave out `broken_by`"),
    ("broken_by", "cancel", "the cancel withdraws it first, so that it never fails; leave out one"),
    ("excuse", "broken_by", "every failure that is seen excuses itself; leave out one"),
    ("resume", "pause", "the clock goes on at the instant at which it stops; leave out both"),
    ("until", "trigger", "what begins it ends it; name the event that ends it"),
    ("until", "never", "what ends it breaks it, so that it is never kept; name another event"),
)
"""Words that must not mean the same events, and what comes of it."""
