"""The forms are those of the table of acts, and what is filled in is what the table wants."""

from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from contracts.acts import ACTS, BY_NAME, Act
from contracts.acts.table import ANY
from services.workbench import forms
from services.workbench.forms import Field, NotFilledError

MADRID = ZoneInfo("Europe/Madrid")
ID = UUID(int=7)
NOT_WITH_THE_FIRST_KIND = {"ask_approval": {"days"}, "add_entry": {"money.amount", "money.currency"}}
"""What an act takes with another kind alone: days of time off, money of what is no staff time."""


def example(field: Field) -> str:
    """Something that fits a field."""
    if field.choices:
        return field.choices[0]
    by_name = {
        "money.currency": "EUR",
        "value.currency": "EUR",
        "rate.currency": "EUR",
        "into": str(ID),
        "mass_failure": str(ID),
        "hours.zone": "Europe/Madrid",
    }
    by_name |= {
        "money.amount": "12.50",
        "value.amount": "12.50",
        "rate.amount": "30.00",
        "days": "2",
        "approval": str(ID),
        "language": "es",
    }
    by_name |= {"address": "ana@example.com"}
    by_kind = {"list": "restored, owned", "yes_no": "yes", "number": "3", "instant": "2026-11-23T14:30", "clock": "09:00"}
    return by_name.get(field.name) or by_kind.get(field.kind) or "words"


@pytest.mark.parametrize("act", forms.FILLED_IN, ids=lambda act: act.name)
def test_every_act_takes_what_its_form_was_filled_in_with(act: Act) -> None:
    every = [each for each in forms.fields_of(act.name) if each.name not in NOT_WITH_THE_FIRST_KIND.get(act.name, ())]
    act.needs.model_validate(forms.filled(act.name, {each.name: example(each) for each in every}, MADRID))


def test_a_time_is_meant_in_the_reader_s_zone() -> None:
    assert forms.filled("pledge", {"what": "I call.", "due": "2026-11-23T14:30"}, MADRID)["due"] == "2026-11-23T14:30:00+01:00"


@pytest.mark.parametrize(("field", "sent"), [("due", "tomorrow"), ("due", "2026-13-01T00:00")])
def test_what_cannot_be_read_is_named_with_what_would_be_right(field: str, sent: str) -> None:
    with pytest.raises(NotFilledError) as refused:
        forms.filled("pledge", {"what": "I call.", field: sent}, MADRID)
    assert (refused.value.field, refused.value.right) == ("due", "2026-11-23T14:30")


def test_an_empty_field_is_left_out_and_not_sent_empty() -> None:
    assert forms.filled("ask_approval", {"kind": "time_off", "what": "", "money.amount": " ", "days": "2"}, MADRID) == {
        "kind": "time_off", "days": "2",
    }  # fmt: skip


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_the_path_of_an_act_is_the_table_s(act: Act) -> None:
    assert forms.path_of(act.name, str(ID)) == act.path.replace("{" + f"{act.thing}_id" + "}", str(ID))


@pytest.mark.parametrize("state", sorted(ANY))
def test_an_act_is_offered_where_the_table_allows_its_state_and_a_role(state: str) -> None:
    offered = {each.act for each in forms.of_case(state, {"agent"})}
    allowed = {
        act.name
        for act in ACTS
        if act.thing is None and not act.is_file and state in act.on and "agent" in {str(each) for each in act.roles}
    }
    assert offered == allowed
    assert forms.of_case(state, {"auditor"}) == []


def test_what_needs_a_thing_is_offered_with_it() -> None:
    found = {each.act: each for each in forms.of_thing("pledge", {"id": ID}, "owned", {"agent"})}
    form = found["fulfil_pledge"]
    assert (form.thing, form.for_owner) == (str(ID), BY_NAME["fulfil_pledge"].for_owner)
    assert all(BY_NAME[each].thing == "pledge" for each in found)
