"""Pages in the reader's words: language, zone, times, money."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.workbench.reader import LANGUAGES, Reader, reader_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cookies", "accepts", "language"),
    [
        ({}, "de-AT,de;q=0.9,en;q=0.5", "de"),
        ({}, "es-VE", "es"),
        ({}, "fr,pt", "en"),
        ({}, "", "en"),
        ({"language": "es"}, "de", "es"),
        ({"language": "../../etc"}, "de", "de"),
    ],
)
def test_what_one_chose_comes_before_what_the_browser_asks_for(cookies: dict[str, str], accepts: str, language: str) -> None:
    assert reader_of(cookies, accepts, "UTC").language == language


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "../etc/passwd", "/etc/passwd"])
def test_a_zone_that_there_is_not_is_the_house_s(zone: str) -> None:
    assert reader_of({"zone": zone}, "", "America/Caracas").zone.key == "America/Caracas"


@pytest.mark.parametrize(
    ("language", "when", "money", "left"),
    [
        ("en", "Mar 1, 2026 1:00\u202fPM", "€1,250.50", "in 2 days"),
        ("es", "1 mar 2026 13:00", "1.250,50\xa0€", "dentro de 2 días"),
        ("de", "01.03.2026 13:00", "1.250,50\xa0€", "in 2 Tagen"),
    ],
)
def test_times_and_money_read_as_they_do_at_home(language: str, when: str, money: str, left: str) -> None:
    reader = Reader(language, ZoneInfo("Europe/Madrid"), NOON)
    assert reader.when("2026-03-01T12:00:00Z") == when
    assert reader.money({"amount": "1250.50", "currency": "EUR"}) == money
    assert reader.left("2026-03-03T12:00:00Z") == left


def test_every_language_is_written_from_left_to_right_or_says_so() -> None:
    assert not any(Reader(each, ZoneInfo("UTC"), NOON).right_to_left for each in LANGUAGES)
