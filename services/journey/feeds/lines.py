"""Files read record by record: JSON Lines and CSV, whatever strangers put into them. A bad record is told, and the next one read."""

import csv
import io
from collections.abc import Iterator
from typing import IO, Any, Final, Self

from services.chassis import strictjson
from services.chassis.strictjson import InvalidJson
from services.journey.feeds.document import Lines
from services.journey.feeds.mapping import Foreign, read
from services.journey.feeds.picks import around

_SURROGATES: Final = ("\ud800", "\udfff")
Read = tuple[int, Foreign | InvalidJson, str]
"""The line it ends on, the record or what is wrong with it, and how it begins."""
_SHOWN: Final = 200
_MOST_CHARACTERS: Final = strictjson.MAX_BYTES


class BadHeaderError(ValueError):
    """The first line of a CSV file names its columns, each once; save the file as UTF-8."""


def records(file: IO[bytes], lines: Lines) -> Iterator[Read]:
    """Yield the records of a file that is at its beginning; raises `BadHeaderError` where a CSV file names no columns."""
    return _rows(file, lines.delimiter) if lines.csv else _documents(file)


def _documents(file: IO[bytes]) -> Iterator[Read]:
    for number, line in enumerate(_bounded(file), start=1):
        if not line.strip():
            continue
        shown = line[:_SHOWN].decode("utf-8", "replace").strip()
        try:
            value = read(line)
        except InvalidJson as wrong:
            yield number, wrong, shown
        else:
            yield number, Foreign(around(value, line=number), ("line", line.strip().decode())), shown


def _bounded(file: IO[bytes]) -> Iterator[bytes]:
    """Lines, of which one that is too long is cut, so that it can be refused and costs no memory."""
    most = strictjson.MAX_BYTES + 2
    while line := file.readline(most):
        yield line
        while not line.endswith(b"\n") and (line := file.readline(most)):
            pass


def _rows(file: IO[bytes], delimiter: str) -> Iterator[Read]:
    lines = _TextLines(file)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _header(rows)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield rows.line_num, InvalidJson("not-csv", "is no line of CSV: a quote is not closed, or a field is too long"), ""
            continue
        if not row:
            continue
        shown = delimiter.join(row)[:_SHOWN].encode("utf-8", "replace").decode()
        wrong = InvalidJson("too-large", f"is longer than {_MOST_CHARACTERS} characters") if lines.cut else _wrong(row, header)
        yield rows.line_num, _record(row, header, rows.line_num) if wrong is None else wrong, shown


class _TextLines:
    """Lines of text as they are written; of one that is too long only the beginning, so that it costs no memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.cut = False

    def __iter__(self) -> Self:
        return self

    def __del__(self) -> None:
        """Leave the file open, which is not ours."""
        self._text.detach()

    def __next__(self) -> str:
        line = self._text.readline(_MOST_CHARACTERS)
        self.cut = len(line) == _MOST_CHARACTERS and not line.endswith("\n")
        while self.cut and (rest := self._text.readline(_MOST_CHARACTERS)) and not rest.endswith("\n"):
            pass
        if not line:
            raise StopIteration
        return line


def _header(rows: Any) -> list[str]:
    try:
        header = [each.strip() for each in next(rows, [])]
    except csv.Error:
        header = []
    if not header or "" in header or len(set(header)) < len(header) or _is_broken("".join(header)):
        raise BadHeaderError(BadHeaderError.__doc__)
    return header


def _record(row: list[str], header: list[str], line: int) -> Foreign:
    """A cell that is empty says nothing."""
    value = {name: cell for name, cell in zip(header, row, strict=True) if cell.strip()}
    return Foreign(around(value, line=line), ("row", *row))


def _wrong(row: list[str], header: list[str]) -> InvalidJson | None:
    if len(row) != len(header):
        return InvalidJson("wrong-columns", f"has {len(row)} columns, and the header {len(header)}")
    joined = "".join(row)
    if _is_broken(joined):
        return InvalidJson("not-utf-8", "is not UTF-8; save the file so")
    if "\0" in joined:
        return InvalidJson("nul-character", "holds the NUL character, which text must not contain")
    return None


def _is_broken(text: str) -> bool:
    return any(_SURROGATES[0] <= each <= _SURROGATES[1] for each in text)
