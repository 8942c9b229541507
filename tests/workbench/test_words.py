"""Everything that pages say is said in every language, with the same values in it."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.workbench.reader import CATALOGUES, LANGUAGES
from services.workbench.words import messages

TEMPLATES = [("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "newstyle_gettext": "true"}}


def said() -> set[str | tuple[str, ...]]:
    """Every message of the templates, of the table of acts and of the services' words."""
    return {found[2] for found in extract_from_dir(Path(CATALOGUES).parent, TEMPLATES, OPTIONS)} | set(messages())


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_message_is_translated_and_no_translation_is_left_over(language: str) -> None:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    translated = {each.id if isinstance(each.id, str) else tuple(each.id): each.string for each in catalogue if each.id}
    assert said() - translated.keys() == set()
    assert translated.keys() - said() == set()
    for message, string in translated.items():
        for one in [string] if isinstance(string, str) else string or [""]:
            assert one, f"{message} has no translation"
            pattern = r"%\((\w+)\)s"
            of = message if isinstance(message, str) else message[-1]
            assert set(re.findall(pattern, one)) == set(re.findall(pattern, of)), message
