"""A person's excuse: who may do what, when, and what the engine is told."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import TypeAdapter

from contracts.promises import ExcuseGranted, ExcuseTakenBack
from services.chassis.keys import event_key
from services.promises import excuses
from services.promises.excuses import About, Act, Excuse, Said, Standing
from tests.driving import NOON
from tests.promises.conftest import ANA

BROKEN = About(UUID(int=1), "in-time", 2, ANA, '"o1"', UUID(int=3), "broken", standing=False)
ASKED = {"reason": "force-majeure", "text": "a flood", "evidence": ["photo 1"], "approver": "maria"}


def said(by: str, **content: Any) -> Said:
    return Said(by, NOON, content or {"text": "so it is"})


def asked(by: str = "ana") -> Excuse:
    return Excuse((excuses.ask(Excuse(), BROKEN, said(by, **ASKED)),))


def then(excuse: Excuse, act: Act) -> Excuse:
    return Excuse((*excuse.acts, act))


def granted() -> Excuse:
    return then(asked(), excuses.decide(asked(), said("maria"), granted=True))


def test_nobody_approves_their_own_excuse() -> None:
    with pytest.raises(excuses.OwnApprovalError):
        asked(by="maria")


def test_only_the_named_approver_decides() -> None:
    for who in ("ana", "somebody else"):
        with pytest.raises(excuses.NotTheApproverError):
            excuses.decide(asked(), said(who), granted=True)
    assert excuses.decide(asked(), said("maria"), granted=False).kind is Standing.REFUSED


@pytest.mark.parametrize("judgement", ["kept", "withdrawn"])
def test_what_was_kept_or_is_not_owed_needs_no_excuse(judgement: str) -> None:
    with pytest.raises(excuses.NothingToExcuseError):
        excuses.ask(Excuse(), BROKEN._replace(judgement=judgement), said("ana", **ASKED))
    standing = BROKEN._replace(judgement="kept", standing=True)
    assert excuses.ask(Excuse(), standing, said("ana", **ASKED)).kind is Standing.ASKED


def test_there_is_one_excuse_at_a_time_and_another_after_a_refusal_or_a_taking_back() -> None:
    for excuse in (asked(), granted()):
        with pytest.raises(excuses.ExcuseUnderWayError):
            excuses.ask(excuse, BROKEN, said("ana", **ASKED))
    refused = then(asked(), excuses.decide(asked(), said("maria"), granted=False))
    withdrawn = then(granted(), excuses.take_back(granted(), said("lea")))
    for excuse in (refused, withdrawn):
        again = excuses.ask(excuse, BROKEN, said("ana", **ASKED | {"approver": "lea"}))
        assert again.number == len(excuse.acts) + 1
        assert then(excuse, again).asked.content["approver"] == "lea"


def test_only_what_waits_is_decided_and_only_what_was_granted_is_taken_back() -> None:
    for excuse in (Excuse(), granted()):
        with pytest.raises(excuses.NothingToDecideError):
            excuses.decide(excuse, said("maria"), granted=True)
    for excuse in (Excuse(), asked()):
        with pytest.raises(excuses.NothingToTakeBackError):
            excuses.take_back(excuse, said("maria"))


def test_the_engine_is_told_of_what_is_granted_and_taken_back_and_of_nothing_else() -> None:
    refused = excuses.decide(asked(), said("maria"), granted=False)
    assert excuses.touchpoint(Excuse(), asked().acts[0], BROKEN) is None
    assert excuses.touchpoint(asked(), refused, BROKEN) is None
    told = excuses.touchpoint(asked(), granted().acts[1], BROKEN)
    assert told == excuses.touchpoint(asked(), granted().acts[1], BROKEN)
    first = orjson.loads(told or b"")
    taken_back = excuses.take_back(granted(), said("lea"))
    second = orjson.loads(excuses.touchpoint(granted(), taken_back, BROKEN) or b"")
    assert (first["type"], second["type"]) == ("promises.excuse.granted", "promises.excuse.taken_back")
    assert first["subject"] == second["subject"] == f"customer:{ANA}"
    data = TypeAdapter(ExcuseGranted).validate_python(first["data"])
    assert (data.by, data.approver, data.about, data.correlation, data.evidence) == ("ana", "maria", UUID(int=3), "o1", ["photo 1"])
    back = TypeAdapter(ExcuseTakenBack).validate_python(second["data"])
    assert (back.by, back.excuse, back.about) == ("lea", first["id"], event_key(first["source"], first["id"]))
