from services.cli import recount
from services.cli.recount import Counted


def test_the_sql_counts_the_flights_of_january() -> None:
    """The numbers were found by other SQL over the same file; a flight exactly 15 minutes late is late."""
    by_carrier, left = recount.flights(1)
    assert sum(each.commitments for each in by_carrier) == 27_004
    assert (sum(each.kept for each in by_carrier), sum(each.broken for each in by_carrier)) == (20_197, 6_722)
    assert all(each.commitments == each.kept + each.broken + each.withdrawn for each in by_carrier)
    assert by_carrier[0] == Counted("9E", 1_573, 1_104, 451, 18)
    assert left == Counted("never early", 26_483, 25_949, 534, 0)
