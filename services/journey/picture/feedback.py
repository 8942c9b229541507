"""What a customer lets us know: said or shown, to us or to others, for everybody's eyes or not; and whether anybody answered it.

Each piece has a weight and fades by half in a given time, so that its part in the relationship can be told at any moment.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.history import History, Touchpoint
from services.journey.picture.matching import Path, any_of, value_at
from services.journey.picture.rules import Expressed, Occasion, Rules, Told

GIVEN, ANSWERED = "feedback.given", "feedback.answered"
FEEDBACK = "feedback"
"""What is called so that says nothing of what it is about."""
State = Literal["answered", "waiting", "ignored", "noted"]
"""`noted`: it asks for no answer."""


class Feedback(NamedTuple):
    """One piece of feedback; `tone` is from -1 to 1. `ignored_from` is when it will have been ignored, or has.

    `event` is what it rests on; of silence the last that was heard, and `time` when that had become too long.
    """

    time: datetime
    event: Touchpoint
    name: str
    expressed: Expressed
    told: Told
    tone: float
    weight: float
    owner: str | None
    answer: Touchpoint | None
    ignored_from: datetime | None
    employee: str | None

    def state(self, now: datetime | None) -> State:
        """What is so of it now."""
        if self.answer is not None:
            return "answered"
        if self.ignored_from is None:
            return "noted"
        return "ignored" if now is not None and now > self.ignored_from else "waiting"


def feedback(rules: Rules, history: History, now: datetime | None) -> list[Feedback]:
    """All feedback of a customer, the first first; what one viewer may see of it, `visible` says."""
    answers = {id_: each for each in reversed(history.of(ANSWERED)) if (id_ := each.text("feedback")) is not None}
    replies = _Replies(rules, history)
    found = []
    for event in history.touchpoints:
        if event.type == GIVEN:
            found.append(_said(rules, event, answers))
            continue
        occasion = next((each for each in rules.feedback if any_of(each.of, event) and not any_of(each.answered, event)), None)
        if occasion is not None and event.type != ANSWERED:
            found.append(_occasion(rules, occasion, event, answers.get(event.body["id"]) or replies.to(occasion, event)))
    found += (each for occasion in rules.feedback for each in _silences(rules, occasion, history, now))
    return sorted(found, key=lambda each: (each.time, each.event.key, each.name))


def falls_silent(rules: Rules, history: History, now: datetime | None) -> datetime | None:
    """When silence alone next becomes feedback."""
    last = history.heard[-1].time if history.heard else None
    times = [last + each.silence for each in rules.feedback if each.silence is not None and last is not None]
    return min((each for each in times if now is None or each >= now), default=None)


def _silences(rules: Rules, occasion: Occasion, history: History, now: datetime | None) -> Iterator[Feedback]:
    if occasion.silence is None or not history.heard:
        return
    times = [*(each.time for each in history.heard[1:]), now]
    for event, until in zip(history.heard, times, strict=True):
        began = event.time + occasion.silence
        if until is not None and until > began:
            owner = occasion.owner or rules.owner
            yield Feedback(began, event, occasion.name, "implicit", occasion.told, occasion.tone, occasion.weight, owner, None, None, None)


def visible(found: list[Feedback], viewer: Viewer | None) -> list[Feedback]:
    """What of it a viewer may see."""
    return [each for each in found if may_see(viewer, each.event.body)]


class _Replies:
    """The answers that occasions are known to get, by what they are about, in order."""

    def __init__(self, rules: Rules, history: History) -> None:
        self._found: dict[tuple[str, str | None], list[Touchpoint]] = defaultdict(list)
        for event in history.touchpoints:
            for each in rules.feedback:
                if any_of(each.answered, event):
                    self._found[each.name, _about(each.same, event)].append(event)

    def to(self, occasion: Occasion, event: Touchpoint) -> Touchpoint | None:
        """The first answer after a piece of feedback."""
        replies = self._found.get((occasion.name, _about(occasion.same, event)), [])
        later = bisect_right(replies, event[:2], key=lambda each: each[:2])
        return replies[later] if later < len(replies) else None


def _about(same: Path | None, event: Touchpoint) -> str | None:
    return None if same is None else repr(value_at(event, same))


def _said(rules: Rules, event: Touchpoint, answers: dict[str, Touchpoint]) -> Feedback:
    data = event.data
    expressed: Expressed = "implicit" if data.get("expressed") == "implicit" else "explicit"
    told: Told = "indirect" if data.get("told") == "indirect" else "direct"
    tone, name = _clipped(data.get("tone")), event.text("about") or FEEDBACK
    answer, asks = answers.get(event.body["id"]), expressed == "explicit" and told == "direct" and tone < 0
    ignored_from = event.time + rules.feedback_ignored_after if asks else None
    owner = event.text("owner") or rules.owner
    return Feedback(event.time, event, name, expressed, told, tone, 1.0, owner, answer, ignored_from, event.text("employee"))


def _occasion(rules: Rules, each: Occasion, event: Touchpoint, answer: Touchpoint | None) -> Feedback:
    tone = each.tone
    if each.scale is not None:
        tone = _scaled(each, value_at(event, each.scale.path))
    ignored_from = None if each.ignored_after is None else event.time + each.ignored_after
    employee = value_at(event, rules.employee)
    who = employee if isinstance(employee, str) else None
    owner = each.owner or rules.owner
    return Feedback(event.time, event, each.name, each.expressed, each.told, tone, each.weight, owner, answer, ignored_from, who)


def _scaled(each: Occasion, value: object) -> float:
    """The tone that a number stands for; without one the occasion's own."""
    if each.scale is None or not isinstance(value, int | float) or isinstance(value, bool):
        return each.tone
    return _clipped(2 * (value - each.scale.worst) / (each.scale.best - each.scale.worst) - 1)


def _clipped(value: object) -> float:
    return min(max(float(value), -1.0), 1.0) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
