"""Reads the values that journey's documents alone have: paths and matches; what is wrong with one is a finding."""

from services.chassis.documents import Fields, Findings, Value
from services.chassis.entries import texts
from services.journey.picture.matching import Match, Matches, NotAPathError, Path, Test, path, read_test


def path_of(fields: Fields, key: str) -> Path | None:
    """Return a path such as `data.employee`, None where it is left out or wrong."""
    text = fields.text(key)
    try:
        return None if text is None else path(text)
    except NotAPathError as error:
        fields.findings.add(fields.known[key], str(error))
        return None


def matches(fields: Fields, key: str, *, required: bool = False) -> Matches:
    """Return one match, or a list of which any may match."""
    fields.get(key, required=required)
    return tuple(_match(Fields(each, f"an entry of `{key}`", fields.findings)) for each in fields.items(key))


def _match(fields: Fields) -> Match:
    if not isinstance(fields.value.content, dict):
        return Match(())
    fields.get("type", required=True)
    types, sources = texts(fields, "type"), texts(fields, "source")
    tests = _where(fields)
    fields.done()
    return Match(types, sources, tests)


def _where(fields: Fields) -> tuple[Test, ...]:
    where = fields.get("where")
    if where is None:
        return ()
    if not isinstance(where.content, dict):
        fields.findings.add(where, "`where` is a mapping of fields to values here, as in `{data.channel: web}`")
        return ()
    return tuple(found for name, wanted in where.content.items() if (found := _test(fields.findings, where.keys[name], name, wanted)))


def _test(findings: Findings, at: Value, name: str, wanted: Value) -> Test | None:
    try:
        found = read_test(name, wanted.plain())
    except NotAPathError as error:
        findings.add(at, str(error))
        return None
    if found is None:
        findings.add(wanted, f"`{name}` needs a value, a list of values, or a comparison such as `>= 100`")
    return found
