"""Indicators: how promises were kept over time by whatever they can be seen by; what teams give beside what they are given."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.workbench.api.page import Page, SignedIn, spreadsheet
from services.workbench.plots import Curve, Plot, Sample, plot, with_gaps
from services.workbench.reader import parsed

router = APIRouter()
_MOST_CURVES: Final = 4
"""Of one plot: so many can be told apart without their colours. What more there is gets plots of its own."""
_MOST_PLOTTED: Final = 24
"""Of more things than these no plots are drawn; the table has them."""
_MOST_ROWS: Final = 500
"""Rows of the table, the latest ones; the CSV has all."""
By = Literal["dimension", "component", "promise", "team", "principle", "audience", "encounter", "segment"]
BYS: Final = ("dimension", "component", "promise", "team", "principle", "audience", "encounter", "segment")
Bucket = Literal["day", "week", "month"]
Name = Annotated[str | None, Query(max_length=200)]
Rows = list[Mapping[str, Any]]


@router.get("/indicators")
async def show_indicators(
    page: SignedIn, by: By = "dimension", bucket: Bucket = "month", since: date | None = None, until: date | None = None
) -> Response:
    """Quality, quantity, timeliness and cost; inward beside outward; what handling cases came to."""
    asked = _asked(page, bucket, since, until)
    series, teams, contacts, measures = await asyncio.gather(
        page.get("journey", "/v1/indicators", by=by, **asked),
        page.look("journey", "/v1/indicators/teams", **asked),
        page.look("journey", "/v1/indicators/contacts", by="channel", **asked),
        page.look("recovery", "/v1/measures", by="promise"),
    )
    rows = series["items"]
    named = _named(rows, by, page)
    return page.render(
        "indicators.html", by=by, bys=BYS, bucket=bucket, since=since, until=until, series=series,
        plots=_plots(named, bucket) if len(named) <= _MOST_PLOTTED else [],
        rows=rows[-_MOST_ROWS:],
        teams=teams, given=_given(teams, page, bucket), contacts=contacts, measures=measures,
        query={name: value for name, value in asked.items() if value is not None and name != "zone"},
    )  # fmt: skip


def _asked(page: Page, bucket: str, since: date | None, until: date | None) -> dict[str, Any]:
    day = {"since": since, "until": until}
    return {"bucket": bucket, "zone": page.reader.zone.key} | {name: each and each.isoformat() for name, each in day.items()}


def _named(rows: Iterable[Mapping[str, Any]], by: str, page: Page) -> dict[str, Rows]:
    """The rows of each thing, by its name."""
    found: dict[str, Rows] = {}
    for each in rows:
        found.setdefault(page.reader.word(str(each[by])) if each[by] is not None else page.reader.text("none"), []).append(each)
    return found


def _plots(named: Mapping[str, Rows], bucket: str) -> list[Plot]:
    """A few curves in each plot, so that they can be told apart."""
    curves = [_curve(rows, "kept_share", name, bucket) for name, rows in named.items()]
    several = [plot(curves[start : start + _MOST_CURVES], highest=1.0) for start in range(0, len(curves), _MOST_CURVES)]
    return [each for each in several if each is not None]


def _given(teams: Mapping[str, Any] | None, page: Page, bucket: str) -> list[tuple[str, Plot | None, Rows]]:
    """What each team gave to customers beside what it was given by others."""
    found: dict[str, Rows] = {}
    for each in [] if teams is None else teams["items"]:
        found.setdefault(each["team"], []).append(each)
    return [
        (team, plot([_curve(rows, f"{way}_share", page.reader.word(way), bucket) for way in ("outward", "inward")], highest=1.0), rows)
        for team, rows in sorted(found.items())
    ]


def _curve(rows: Rows, figure: str, name: str, bucket: str) -> Curve:
    return Curve(name, with_gaps((Sample(parsed(each["start"]), each[figure]) for each in rows), bucket))


@router.get("/indicators.csv")
async def show_indicators_as_table(
    page: SignedIn,
    by: By = "dimension",
    bucket: Bucket = "month",
    since: date | None = None,
    until: date | None = None,
    promise: Name = None,
) -> Response:
    """The same, for a spreadsheet."""
    asked = _asked(page, bucket, since, until) | {"promise": promise}
    return spreadsheet("indicators", await page.services.csv(page.session, "journey", "/v1/indicators", by=by, **asked))


@router.get("/indicators/{which}.csv")
async def show_others_as_table(
    which: Literal["teams", "contacts"], page: SignedIn, bucket: Bucket = "month", since: date | None = None, until: date | None = None
) -> Response:
    """What teams give and are given, or how contacts begin, for a spreadsheet."""
    asked = _asked(page, bucket, since, until)
    return spreadsheet(which, await page.services.csv(page.session, "journey", f"/v1/indicators/{which}", **asked))
