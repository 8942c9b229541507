"""What is noted of facts beside their packs is what the facts say."""

from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest

from services.journey.timeline.kinds import Types
from services.journey.timeline.said import NOTED, Place, Row, codes_of, latest, note
from tests.journey.told import EXAMPLES

COMMITMENTS = sorted(EXAMPLES.glob("makegood.commitment.*.json"))


@pytest.mark.parametrize("path", COMMITMENTS, ids=lambda path: path.stem)
def test_a_note_says_which_commitment_a_fact_is_of_and_its_type(path: Path) -> None:
    """Breaks when promises says something new, or writes ids in another way, and timelines no longer find it."""
    fact = orjson.loads(path.read_bytes())
    noted = note([orjson.dumps(fact)])
    assert len(noted) == NOTED
    assert bytes([0]) + noted[:1] == codes_of(Types([fact["type"]]))
    assert UUID(fact["data"]["commitment"]).bytes.endswith(noted[1:7])


@pytest.mark.parametrize("id_", ["", "f1", "a:b:c", "2f0d8f0a-93fb-5c1b-8f55-3a4c1c6e7d90", "2f0d8f0a-93fb-5c1b-8f55-3a4c1c6e7d90:1:new"])
def test_of_what_nobody_knows_it_is_noted_that_nobody_does(id_: str) -> None:
    noted = note([orjson.dumps({"specversion": "1.0", "id": id_})])
    assert (len(noted), noted[0]) == (NOTED, 0)
    assert 0 in codes_of(Types(["makegood.commitment.opened"]))


def test_the_last_word_on_each_commitment_is_found_where_it_stands() -> None:
    """Breaks if a run's second fact were looked for in the place of the first, or a second verdict beside took it back."""
    one, other = uuid4(), uuid4()

    def of(*words: tuple[UUID, str]) -> bytes:
        return note(orjson.dumps({"id": f"{commitment}:1:{word}"}) for commitment, word in words)

    found = latest(
        [
            Row("p", 0, 7, 3, of((one, "opened"), (other, "opened"))),
            Row("p", 0, 9, 0, of((other, "kept"), (one, "at_risk:80%"), (other, "rejudged"))),
        ]
    )
    assert found.undecided == [Place("p", 0, 9, 1)]
    assert found.decided == [Place("p", 0, 9, 0)]
