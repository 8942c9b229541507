"""Everything that pages say is said in every language, with the same values in it."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.workbench.reader import CATALOGUES, LANGUAGES
from services.workbench.words import messages

TEMPLATES = [("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "newstyle_gettext": "true"}}
TERMS = {
    "promises?": {"de": "versprech|versproch", "es": "prome"},
    "commitments?": {"de": "verpflichtung", "es": "obligaci"},
    "pledges?": {"de": "zusage", "es": "compromiso"},
    "failures?": {"de": "fehler", "es": "fallo"},
    "mass failures?": {"de": "massenfehler", "es": "fallos? masivo"},
    "cases?": {"de": "fall|fäll", "es": "caso"},
    "customers?": {"de": "kunde", "es": "cliente"},
    "owners?": {"de": "verantwortlich", "es": "responsable"},
    "playbook": {"de": "drehbuch", "es": "manual"},
    "gestures?": {"de": "geste", "es": "gesto"},
    "approvals?": {"de": "genehmigung", "es": "aprobaci"},
    "improvements?": {"de": "verbesserung", "es": "mejora"},
    "refused records?": {"de": "datens[aä]tz", "es": "registro"},
    "verdicts?": {"de": "urteil", "es": "veredicto"},
    "error budget": {"de": "fehlerbudget", "es": "presupuesto de errores"},
}
"""A word that means one thing is one word in every language: how each of ours begins there."""
APART = (
    ("promise", "commitments", "pledge"),
    ("kept", "broken", "excused", "withdrawn", "held", "paused"),
    ("refused", "declined", "dismissed"),
    ("Lane", "Trace"),
)
"""Words that mean different things are different words, too."""


def said() -> set[str | tuple[str, ...]]:
    """Every message of the templates, of the table of acts and of the services' words."""
    return {found[2] for found in extract_from_dir(Path(CATALOGUES).parent, TEMPLATES, OPTIONS)} | set(messages())


def catalogue_of(language: str) -> Catalog:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def translations(catalogue: Catalog) -> dict[str | tuple[str, ...], list[str]]:
    """Each message with what is said for it: one text, or one for each plural."""
    found: dict[str | tuple[str, ...], list[str]] = {}
    for each in catalogue:
        if each.id:
            message = each.id if isinstance(each.id, str) else tuple(each.id)
            found[message] = [each.string] if isinstance(each.string, str) else list(each.string or [""])
    return found


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_message_is_translated_and_no_translation_is_left_over(language: str) -> None:
    catalogue = catalogue_of(language)
    assert [each.id for each in catalogue if each.id and each.fuzzy] == [], "somebody has to look at these"
    translated = translations(catalogue)
    assert said() - translated.keys() == set()
    assert translated.keys() - said() == set()
    for message, strings in translated.items():
        for one in strings:
            assert one, f"{message} has no translation"
            pattern = r"%\((\w+)\)s"
            of = message if isinstance(message, str) else message[-1]
            assert set(re.findall(pattern, one)) == set(re.findall(pattern, of)), message


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_word_of_ours_is_the_same_word_wherever_a_language_says_it(language: str, term: str) -> None:
    """Breaks if a pledge and a commitment, say, become one word in the pages of somebody."""
    for ours, theirs in translations(catalogue_of(language)).items():
        said = ours if isinstance(ours, str) else ours[0]
        if re.search(rf"\b{term}\b", said, re.IGNORECASE):
            assert all(re.search(TERMS[term][language], each, re.IGNORECASE) for each in theirs), said


@pytest.mark.parametrize("words", APART)
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_words_that_mean_different_things_are_told_apart(language: str, words: tuple[str, ...]) -> None:
    catalogue = catalogue_of(language)
    assert len({catalogue[each].string for each in words}) == len(words)
