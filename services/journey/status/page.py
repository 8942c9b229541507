"""The status page: one small page that needs nothing else, in the customer's language, for a telephone first. Pure."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Final, NamedTuple

from services.journey.status.answers import Answer
from services.journey.status.making_good import MakingGood, Step
from services.journey.status.stands import Promised, Stand


class Words(NamedTuple):
    """What the page says in one language."""

    title: str
    nothing: str
    open: str
    settled: str
    stands: Mapping[Stand, str]
    promised: str
    failed: str
    steps: Mapping[Step, str]
    ask: str
    answers: Mapping[Answer, str]
    given: str
    next: str
    since: str
    due: str
    no_date: str
    decided: str
    as_of: str
    clock: str
    personal: str
    gone: str
    gone_detail: str
    months: Sequence[str]
    days: Sequence[str]
    date: str


ENGLISH: Final = Words(
    "What we promised you", "There is no promise to you at the moment.", "Still to come", "Done",
    {Stand.OPEN: "Under way", Stand.CHECKING: "Being checked", Stand.KEPT: "Kept", Stand.BROKEN: "Not kept",
     Stand.EXCUSED: "Could not be kept", Stand.ENDED: "No longer needed"},
    "Promised on", "Where we failed you",
    {Step.SEEN: "We know of it, and somebody will look after it", Step.IN_HAND: "Somebody is putting it right for you",
     Step.PUT_RIGHT: "Put right; please tell us if it is not", Step.CONFIRMED: "You told us that it is put right; we keep an eye on it",
     Step.MADE_GOOD: "Made good", Step.NOT_MADE_GOOD: "We did not make it good", Step.UNANSWERED: "Put right; we have not heard from you",
     Step.CLOSED: "Closed, as you wished"},
    "Your answer counts",
    {Answer.GOOD: "It is good again", Answer.NOT_GOOD: "It is not good yet", Answer.NOTHING_MORE: "I want nothing more"},
    "Thank you. Your answer:",
    "The next date:",
    "Since", "By", "No date is fixed", "On", "As of", "All times are those of {zone}.",
    "This page is for you alone. Please do not pass the link on.",
    "This page is not available", "The link may be mistyped, or its time is over. Please ask us for a new one.",
    ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"),
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "{day}, {number} {month} {year}, {clock}",
)  # fmt: skip
SPANISH: Final = Words(
    "Lo que le prometimos", "En este momento no hay ninguna promesa pendiente.", "Pendiente", "Terminado",
    {Stand.OPEN: "En curso", Stand.CHECKING: "En revisión", Stand.KEPT: "Cumplida", Stand.BROKEN: "No cumplida",
     Stand.EXCUSED: "No se pudo cumplir", Stand.ENDED: "Ya no es necesaria"},
    "Prometido el", "En lo que le fallamos",
    {Step.SEEN: "Lo sabemos, y alguien se ocupará de ello", Step.IN_HAND: "Alguien lo está arreglando para usted",
     Step.PUT_RIGHT: "Arreglado; díganos si no es así", Step.CONFIRMED: "Usted nos dijo que está arreglado; seguimos pendientes",
     Step.MADE_GOOD: "Reparado", Step.NOT_MADE_GOOD: "No lo reparamos", Step.UNANSWERED: "Arreglado; no hemos sabido de usted",
     Step.CLOSED: "Cerrado, como usted pidió"},
    "Su respuesta cuenta",
    {Answer.GOOD: "Ya está bien", Answer.NOT_GOOD: "Todavía no está bien", Answer.NOTHING_MORE: "No deseo nada más"},
    "Gracias. Su respuesta:",
    "La próxima fecha:",
    "Desde", "A más tardar", "Sin fecha fijada", "El", "Situación a", "Todas las horas son las de {zone}.",
    "Esta página es solo para usted. Por favor, no comparta el enlace.",
    "Esta página no está disponible", "El enlace puede estar mal escrito o haber caducado. Por favor, pídanos uno nuevo.",
    ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
    ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "{day}, {number} de {month} de {year}, {clock}",
)  # fmt: skip
GERMAN: Final = Words(
    "Was wir Ihnen versprochen haben", "Zurzeit ist Ihnen nichts versprochen.", "Noch offen", "Erledigt",
    {Stand.OPEN: "In Arbeit", Stand.CHECKING: "Wird geprüft", Stand.KEPT: "Eingehalten", Stand.BROKEN: "Nicht eingehalten",
     Stand.EXCUSED: "Konnte nicht eingehalten werden", Stand.ENDED: "Nicht mehr nötig"},
    "Versprochen am", "Wo wir Sie enttäuscht haben",
    {Step.SEEN: "Wir wissen davon, und jemand wird sich darum kümmern", Step.IN_HAND: "Jemand bringt es für Sie in Ordnung",
     Step.PUT_RIGHT: "In Ordnung gebracht; bitte sagen Sie uns, wenn nicht",
     Step.CONFIRMED: "Sie haben uns gesagt, dass es in Ordnung ist; wir achten weiter darauf",
     Step.MADE_GOOD: "Wiedergutgemacht", Step.NOT_MADE_GOOD: "Wir haben es nicht wiedergutgemacht",
     Step.UNANSWERED: "In Ordnung gebracht; wir haben nichts von Ihnen gehört", Step.CLOSED: "Abgeschlossen, wie Sie es wünschten"},
    "Ihre Antwort zählt",
    {Answer.GOOD: "Es ist wieder gut", Answer.NOT_GOOD: "Es ist noch nicht gut", Answer.NOTHING_MORE: "Ich möchte nichts weiter"},
    "Danke. Ihre Antwort:",
    "Der nächste Termin:",
    "Seit", "Bis", "Kein Termin festgelegt", "Am", "Stand:", "Alle Zeiten gelten für {zone}.",
    "Diese Seite ist nur für Sie. Bitte geben Sie den Link nicht weiter.",
    "Diese Seite ist nicht verfügbar", "Der Link ist vielleicht falsch geschrieben oder abgelaufen. Bitte fragen Sie uns nach einem neuen.",
    ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"),
    ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "{day}, {number}. {month} {year}, {clock}\u00a0Uhr",
)  # fmt: skip
LANGUAGES: Final = {"en": ENGLISH, "es": SPANISH, "de": GERMAN}

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#566173;--page:#f4f6f9;--card:#fff;--line:#d9dfe8;--good:#136c3a;--bad:#a3261c;
--wait:#1d4f91;--rest:#566173}
@media(prefers-color-scheme:dark){:root{--ink:#eef1f6;--soft:#a9b4c4;--page:#12161d;--card:#1c222c;--line:#333c4a;--good:#6fd79b;
--bad:#ff9d92;--wait:#8fbcff;--rest:#a9b4c4}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:42rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0 1.25rem}
h2{font-size:1rem;color:var(--soft);margin:2rem 0 .6rem}
ul{list-style:none;margin:0;padding:0;display:grid;gap:.75rem}
li{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--tone);border-radius:.5rem;padding:.9rem 1rem}
li p{margin:0;overflow-wrap:anywhere}
.stand{color:var(--tone);font-weight:600;font-size:.95rem}
.promise{font-size:1.1rem;margin:.15rem 0 .35rem!important}
.date,footer{color:var(--soft);font-size:.95rem}
.date b{color:var(--ink)}
form{margin-top:.75rem;display:flex;flex-wrap:wrap;gap:.5rem}
form p{flex-basis:100%}
button{font:inherit;color:var(--ink);background:var(--page);border:1px solid var(--soft);border-radius:.5rem;
padding:.6rem .9rem;min-height:2.75rem}
button:hover,button:focus-visible{border-color:var(--wait);outline:2px solid var(--wait)}
.kept,.made_good{--tone:var(--good)}.broken,.not_made_good{--tone:var(--bad)}.excused,.ended,.unanswered,.closed{--tone:var(--rest)}
.open,.checking,.seen,.in_hand,.put_right,.confirmed{--tone:var(--wait)}
footer{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:1rem}
footer p{margin:.25rem 0}
"""
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)


def language_of(accepted: str) -> str:
    """The language that a browser would rather have (RFC 9110, Accept-Language), of those that we speak; else English."""
    best, found = 0.0, "en"
    for each in accepted.split(","):
        tag, *parameters = (part.strip().lower() for part in each.split(";"))
        code = tag.partition("-")[0]
        quality = _quality(parameters)
        if code in LANGUAGES and quality > best:
            best, found = quality, code
    return found


def _quality(parameters: Sequence[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def status_page(cases: Sequence[MakingGood], items: Sequence[Promised], as_of: datetime | None, zone: str, language: str) -> str:
    """How it stands with what was promised, and with what is being made good."""
    words = LANGUAGES[language]
    still = [each for each in items if each.settled is None]
    done = [each for each in items if each.settled is not None]
    parts = [
        _section(words.failed, [_case(each, words) for each in cases]),
        _section(words.open, [_item(each, words) for each in still]),
        _section(words.settled, [_item(each, words) for each in done]),
    ]
    clock = escape(words.clock.format(zone=zone.replace("_", " ")))
    told = "" if as_of is None else f"<p>{escape(words.as_of)} {_date(as_of, words)}</p>"
    body = "".join(parts) or f"<p>{escape(words.nothing)}</p>"
    return _page(words.title, f"{body}<footer>{told}<p>{clock}</p><p>{escape(words.personal)}</p></footer>", language)


def gone_page(language: str) -> str:
    """What whoever has no valid link is told; whatever is wrong with it."""
    words = LANGUAGES[language]
    return _page(words.gone, f"<p>{escape(words.gone_detail)}</p>", language)


def _section(title: str, entries: Sequence[str]) -> str:
    return f"<section><h2>{escape(title)}</h2><ul>{''.join(entries)}</ul></section>" if entries else ""


def _case(case: MakingGood, words: Words) -> str:
    about = "".join(f'<p class="promise">{escape(each)}</p>' for each in case.about)
    pledged = "" if case.pledged is None else f"<p>{escape(case.pledged)}</p>"
    coming = "" if case.next is None else f'{pledged}<p class="date">{escape(words.next)} <b>{_date(case.next, words)}</b></p>'
    since = f'<p class="date">{escape(words.since)} {_date(case.since, words)}</p>'
    stand = f'<p class="stand">{escape(words.steps[case.step])}</p>'
    return f'<li class="{case.step}">{stand}{about}{coming}{since}{_answer(case, words)}</li>'


def _answer(case: MakingGood, words: Words) -> str:
    """What the customer may answer, as a form that posts to the page's own address, or what they answered."""
    if case.given is not None:
        return f'<p class="date">{escape(words.given)} <b>{escape(words.answers[case.given])}</b></p>'
    if not case.question.answers:
        return ""
    buttons = "".join(f'<button name="answer" value="{each}">{escape(words.answers[each])}</button>' for each in case.question.answers)
    to = f'<input type="hidden" name="to" value="{case.question.id}">'
    return f'<form method="post">{to}<p>{escape(words.ask)}</p>{buttons}</form>'


def _item(item: Promised, words: Words) -> str:
    if item.settled is not None:
        when = f"{escape(words.decided)} {_date(item.settled, words)}"
    elif item.due is not None:
        when = f"{escape(words.due)} <b>{_date(item.due, words)}</b>"
    else:
        when = escape(words.no_date)
    since = f"{escape(words.promised)} {_date(item.since, words)}"
    times = f" \u00d7\u202f{item.times}" if item.times > 1 else ""
    stand = f'<p class="stand">{escape(words.stands[item.stand])}{times}</p>'
    statement = f'<p class="promise">{escape(item.statement)}</p>'
    return f'<li class="{item.stand}">{stand}{statement}<p class="date">{when}</p><p class="date">{since}</p></li>'


def _date(moment: datetime, words: Words) -> str:
    clock = f"{moment:%H:%M}"
    text = words.date.format(
        day=words.days[moment.weekday()], number=moment.day, month=words.months[moment.month - 1], year=moment.year, clock=clock
    )
    return f'<time datetime="{moment.isoformat()}">{escape(text)}</time>'


def _page(title: str, body: str, language: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
