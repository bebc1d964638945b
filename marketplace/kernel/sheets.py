"""Rows of CSV and XLSX files as people really send them, one at a time, each with its line.

UTF-8 with or without a mark, GB18030; comma, semicolon or tab; XLSX read without loading it whole.
A line that cannot be read is reported and the next is read on: nothing here guesses, and nothing
swallows a neighbour. Values are stripped texts; a file's own names of columns are mapped by the
caller.
"""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

MOST_LINE_BYTES = 64 * 1024
MOST_FIELDS = 200
FORMULA_STARTS = ("=", "+", "-", "@")
_READ_AT_ONCE = 1 << 20


class SheetUnreadable(ValueError):
    """The file as a whole cannot be read. ``code`` is a stable name, ``detail`` what was seen."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its line in the file (from 1, the heading is 1), its values, or what spoilt it.

    ``fault`` is ``None`` or a stable name: ``line_too_long``, ``bad_encoding``, ``bad_quotes``,
    ``too_many_values``. ``values`` holds what could be read all the same.
    """

    number: int
    values: dict[str, str]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file's heading and its rows. ``rows`` can be iterated once."""

    columns: tuple[str, ...]
    rows: Iterator[Line]


@contextmanager
def open_sheet(path: Path) -> Iterator[Sheet]:
    """Open a ``.csv`` or ``.xlsx`` file. Raises ``SheetUnreadable`` when there is no heading to read."""
    if path.suffix.lower() == ".xlsx":
        with _open_xlsx(path) as sheet:
            yield sheet
        return
    encoding = _encoding_of(path)
    with path.open("rb") as file:
        lines = _lines(file)
        _first, heading = next(lines, (1, b""))
        if heading is None or not heading.strip():
            raise SheetUnreadable("no_heading", "the first line is empty")
        text = heading.decode(encoding, "replace").lstrip("\ufeff")
        delimiter = max(",;\t", key=text.count)
        columns = tuple(c.strip() for c in _split(text, delimiter) or [])
        _check_columns(columns)
        yield Sheet(columns, _csv_rows(lines, columns, encoding, delimiter))


def _check_columns(columns: Sequence[str]) -> None:
    named = [c for c in columns if c]
    if not named or len(columns) > MOST_FIELDS:
        raise SheetUnreadable("no_heading", f"{len(columns)} columns")
    twice = sorted({c for c in named if named.count(c) > 1})
    if twice:
        raise SheetUnreadable("column_twice", ", ".join(twice))


def _encoding_of(path: Path) -> str:
    """Return ``utf-8`` or ``gb18030``, whichever reads more of the lines that are not plain ASCII."""
    utf8 = other = 0
    with path.open("rb") as file:
        if file.read(3) == b"\xef\xbb\xbf":
            return "utf-8"
        file.seek(0)
        for _, raw in _lines(file):
            if raw is None or raw.isascii():
                continue
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                other += 1
            else:
                utf8 += 1
    return "utf-8" if utf8 >= other else "gb18030"


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield (number, bytes without the line end); ``None`` for a line that is too long, then read on."""
    number = 0
    while raw := file.readline(MOST_LINE_BYTES):
        number += 1
        if raw.endswith(b"\n") or len(raw) < MOST_LINE_BYTES:
            yield number, raw.rstrip(b"\r\n")
            continue
        while (rest := file.readline(_READ_AT_ONCE)) and not rest.endswith(b"\n"):
            pass
        yield number, None


def _split(text: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def _csv_rows(
    lines: Iterator[tuple[int, bytes | None]], columns: tuple[str, ...], encoding: str,
    delimiter: str,
) -> Iterator[Line]:  # fmt: skip
    width = len(columns)
    for number, raw in lines:
        if raw is None:
            yield Line(number, {}, "line_too_long")
            continue
        if not raw.strip(b" \t,;"):
            continue
        fault = None
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            text, fault = raw.decode(encoding, "replace"), "bad_encoding"
        values = _split(text, delimiter)
        if values is None:
            yield Line(number, {columns[0]: text[:80]}, "bad_quotes")
            continue
        if len(values) > width:
            if any(v.strip() for v in values[width:]):
                fault = fault or "too_many_values"
            values = values[:width]
        named = {c: v.strip() for c, v in zip(columns, values, strict=False) if c}
        yield Line(number, named, fault)


@contextmanager
def _open_xlsx(path: Path) -> Iterator[Sheet]:
    try:
        book = load_workbook(path, read_only=True, data_only=False)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise SheetUnreadable("not_xlsx", type(error).__name__) from error
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        heading = next(rows, ())
        columns = tuple("" if c is None else str(c).strip() for c in heading)
        _check_columns(columns)
        yield Sheet(columns, _xlsx_rows(rows, columns))
    finally:
        book.close()


def _xlsx_rows(rows: Iterable[tuple[Any, ...]], columns: tuple[str, ...]) -> Iterator[Line]:
    width = len(columns)
    for number, cells in enumerate(rows, start=2):
        texts = [_cell_text(c) for c in cells]
        if not any(texts):
            continue
        fault = "too_many_values" if any(texts[width:]) else None
        named = {c: v for c, v in zip(columns, texts, strict=False) if c}
        yield Line(number, named, fault)


def _cell_text(cell: Any) -> str:
    """Return a cell as the text that a CSV file would hold; times as HH:MM, whole floats as integers."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "Y" if cell else "N"
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.strftime("%H:%M")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, dt.time):
        return cell.strftime("%H:%M")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()


def guarded(value: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe where it would."""
    if value.startswith(FORMULA_STARTS) and not _is_number(value):
        return "'" + value
    return value


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


class SheetWriter:
    """Writes one table as ``.csv`` (UTF-8 with a mark, for Excel) or ``.xlsx``; use it as a context."""

    def __init__(self, path: Path, columns: Sequence[str], *, mark: bool = True) -> None:
        self._path, self._columns = path, list(columns)
        self._book: Workbook | None = None
        if path.suffix.lower() == ".xlsx":
            self._book = Workbook(write_only=True)
            self._page = self._book.create_sheet()
            self._page.append(self._columns)
        else:
            self._file = path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="")
            self._csv = csv.writer(self._file, lineterminator="\n")
            self._csv.writerow(self._columns)

    def row(self, values: Sequence[str]) -> None:
        """Write one row; line breaks inside a value become spaces."""
        clean = [guarded(" ".join(v.split("\n"))) if v else "" for v in values]
        if self._book is not None:
            self._page.append(clean)
        else:
            self._csv.writerow(clean)

    def __enter__(self) -> SheetWriter:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._book is not None:
            self._book.save(self._path)
            self._book.close()
        else:
            self._file.close()
