"""What the page of a promise adds up of several commitments."""

from services.workbench.api.promises import held


def _clock(**seconds: float) -> dict[str, object]:
    return {"clock": {"holders": [{"holder": holder, "seconds": length} for holder, length in seconds.items()]}}


def test_who_held_the_clock_is_summed_over_all_that_can_be_explained() -> None:
    found = held([_clock(carrier=60.0, depot=5.0), None, {"clock": None}, _clock(depot=70.0)])
    assert found == {"holders": [{"holder": "depot", "seconds": 75.0}, {"holder": "carrier", "seconds": 60.0}]}
    assert held([]) == {"holders": []}
