"""Random promises: every pattern with every modifier that goes with it, composed freely, and random histories to judge them by."""

from typing import Any

from hypothesis import strategies as st

from services.promises.language.modifiers import GOES_WITH, Goes
from services.promises.language.patterns import PATTERNS

LETTERS = "TENUKCFRPGXM12"
"""T opens, E is expected, N forbidden, U until, K collected, C cancels, F fails, R resets, P pauses, G goes on, X excuses, M retargets."""
TYPES = [*LETTERS, "T", "T", "E", "TE", "TP", "TR", "EN", "NU", "EK", "PG", "PE", "RE", "FC", "MP", "K1", "12", "O"]
DURATIONS = ["20 minutes", "40 minutes", "1 hours", "100 minutes", "1 days", "PT2H"]
WITHIN = st.sampled_from(DURATIONS)
MUST = ["sum(events, 'data.value') >= trigger.data.value", "count(events) <= 1", "max(events, 'data.value') < 3", "count(events) == 2"]
SEGMENTS = ["data.order", "data.value", ["data.order", "data.nested.number"]]
CORRELATE = [None, "data.order", "data.nested.number", ["data.order", "data.nested.number"]]


def match(draw: st.DrawFn, letter: str) -> dict[str, Any]:
    """What matches every type that has this letter, of which some want a value too."""
    tests = draw(st.sampled_from([{}, {}, {}, {"data.value": "<= 2"}]))
    return {"type": f"*{letter}*"} | ({"where": tests} if tests else {})


def _due(draw: st.DrawFn) -> dict[str, Any]:
    chosen = draw(st.sampled_from(["within", "within", "by", "never"]))
    return {"within": draw(WITHIN)} if chosen == "within" else {"by": "data.due"} if chosen == "by" else {}


def _optional(draw: st.DrawFn, key: str, value: Any) -> dict[str, Any]:
    return {key: value} if draw(st.booleans()) else {}


def _step(draw: st.DrawFn, number: int) -> dict[str, Any]:
    start = draw(st.sampled_from(["start", "previous"]))
    return {"name": f"s{number}", "expect": match(draw, str(number)), "from": start} | _due(draw)


def _body(draw: st.DrawFn, name: str, depth: int) -> dict[str, Any]:
    """Of a pattern, what does not open it."""
    if name in ("all_of", "sequence_of"):
        inner = [each for each in PATTERNS if each != "limit" and (depth or each not in ("all_of", "sequence_of"))]
        names = draw(st.lists(st.sampled_from(inner), min_size=1, max_size=3))
        return {"patterns": [{each: _body(draw, each, depth - 1)} for each in names]}
    return _simple(draw, name)


def _simple(draw: st.DrawFn, name: str) -> dict[str, Any]:
    match name:
        case "response":
            due = _due(draw)
            strictly = _optional(draw, "strictly", value=True) if due else {}
            return {"expect": match(draw, "E"), "count": draw(st.integers(1, 2))} | due | strictly
        case "precedence":
            body = {"after": match(draw, "E")}
            return body | _optional(draw, "no_sooner_than", draw(WITHIN)) | _optional(draw, "within", draw(WITHIN))
        case "absence":
            body = {"never": match(draw, "N")} | _optional(draw, "within", draw(WITHIN))
            return body | _optional(draw, "until", match(draw, "U"))
        case "limit":
            return {"at_most": draw(st.integers(0, 3))} | _optional(draw, "in", draw(WITHIN))
        case "conformance":
            return {"must": draw(st.sampled_from([{"data.value": ">= 2"}, "data.value > 1.0", {"data.order": ["o1", 1]}]))}
        case "settlement":
            end, until = _due(draw), _optional(draw, "until", match(draw, "U"))
            settle = draw(st.sampled_from(["at_end", "early"])) if end or until else "early"
            return {"collect": match(draw, "K"), "must": draw(st.sampled_from(MUST)), "settle": settle} | end | until
        case "recurrence":
            return {"expect": match(draw, "E"), "every": draw(WITHIN)} | _optional(draw, "until", match(draw, "U"))
        case "milestones":
            return {"steps": [_step(draw, number) for number in range(1, draw(st.integers(1, 2)) + 1)]}
    raise AssertionError(name)


def _timed(name: str, body: dict[str, Any]) -> bool:
    if name in ("all_of", "sequence_of"):
        return any(_timed(*each) for part in body["patterns"] for each in part.items() if each[0] not in ("precedence", "conformance"))
    steps = body.get("steps", [])
    return name == "recurrence" or any("within" in each or "by" in each for each in (body, *steps))


def _modifiers(draw: st.DrawFn, name: str, body: dict[str, Any]) -> dict[str, Any]:
    around: dict[str, Any] = {}
    goes = {modifier: patterns[name] for modifier, patterns in GOES_WITH.items()}
    if goes["targets"] is Goes.WITHIN and "by" not in body and draw(st.booleans()):
        around["targets"] = [{"where": {"data.value": each}, "within": draw(WITHIN)} for each in (1, 2)]
        around |= _optional(draw, "escalate_target", match(draw, "M"))
    timed = "targets" in around or _timed(name, body)
    may = {each for each, how in goes.items() if how is Goes.YES or (how is Goes.DUE and timed)}
    for key, letter in (("cancel", "C"), ("broken_by", "F"), ("reset", "R"), ("excuse", "X")):
        around |= _optional(draw, key, match(draw, letter)) if key in may else {}
    if "pause" in may and draw(st.booleans()):
        around |= {"pause": match(draw, "P"), "resume": draw(st.sampled_from(["other", match(draw, "G")]))}
    if "warn" in may:
        around |= _optional(draw, "warn", draw(st.sampled_from([["50%"], ["80%", "10 minutes"]])))
    return around | _optional(draw, "segment", draw(st.sampled_from(SEGMENTS))) | _optional(draw, "grace", "30 minutes")


@st.composite
def promises(draw: st.DrawFn) -> dict[str, Any]:
    """The `spec` of a promise."""
    name = draw(st.sampled_from(sorted(PATTERNS)))
    body = _body(draw, name, 1)
    opening: dict[str, Any] = {"event" if name in ("precedence", "limit", "conformance") else "when": match(draw, "T")}
    correlate = draw(st.sampled_from(CORRELATE))
    opening |= {} if correlate is None else {"correlate": correlate}
    if name not in ("precedence", "limit", "conformance"):
        opening["open"] = draw(st.sampled_from(["each", "first"]))
    return {"zone": draw(st.sampled_from(["UTC", "America/New_York"])), name: opening | body} | _modifiers(draw, name, body)


VALUES = st.sampled_from([None, 0, 1, 2, 3, 2.5, "1"])
HAPPENINGS = st.tuples(
    st.sampled_from(TYPES), st.integers(0, 12), st.sampled_from([0, 0, 0, 1, 5]),
    st.sampled_from(["o1", "o1", "o1", 1, "1", None]), VALUES, st.sampled_from([7, 7, "7", None, "missing"]), st.integers(-3, 12),
)  # fmt: skip
"""Its type, when it happens and how late it arrives in steps, what it is about, a value, another key, and what falls due when."""
