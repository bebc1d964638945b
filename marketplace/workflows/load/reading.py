"""Read a file of rows: CSV in UTF-8 (with or without BOM) or GB18030, or XLSX.

A physical line that cannot be read is refused by its number and the next one is read as if nothing
had happened: one bad line never swallows its neighbours.
"""

from __future__ import annotations

import codecs
import csv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from marketplace.workflows.load.chinese import column_of, value_of
from marketplace.workflows.load.refusals import Refusal, shown

LONGEST_LINE = 65_536
"""Characters; a longer line is no register row."""
_LINES_IN_A_RECORD = 20
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One row as text. ``line`` is where it begins; ``cells`` maps column to stripped text."""

    line: int
    cells: dict[str, str]


def find(folder: Path, name: str) -> Path | None:
    """Return ``name``.csv or ``name``.xlsx in the folder, ``None`` when neither is there."""
    for ending in (".csv", ".xlsx"):
        path = folder / f"{name}{ending}"
        if path.is_file():
            return path
    return None


def read(path: Path, columns: tuple[str, ...]) -> Iterator[Row | Refusal]:
    """Yield every row, or why it cannot be read; a file that cannot be used yields one refusal.

    The heading must name all ``columns`` and no other, in any order, in English or Chinese.
    """
    records = _xlsx(path) if path.suffix == ".xlsx" else _csv(path)
    heading: list[str] | None = None
    for record in records:
        if isinstance(record, Refusal):
            yield record
            if record.line == 0:
                return
            continue
        line, cells = record
        if heading is None:
            heading = [column_of(c.strip().lstrip("\ufeff").lower()) for c in cells]
            wrong = _heading_refusals(path, heading, columns)
            if wrong:
                yield from wrong
                return
            continue
        if not any(c.strip() for c in cells):
            continue
        if len(cells) != len(heading):
            code = "too_few_cells" if len(cells) < len(heading) else "too_many_cells"
            yield Refusal(path.name, line, "*", code, str(len(cells)), str(len(heading)))
            continue
        yield Row(line, {k: value_of(k, v.strip()) for k, v in zip(heading, cells, strict=True)})
    if heading is None:
        yield Refusal(path.name, 0, "*", "empty_file")


def _heading_refusals(path: Path, heading: list[str], columns: tuple[str, ...]) -> list[Refusal]:
    wrong = [
        Refusal(path.name, 0, c, "missing_column", expected=",".join(columns))
        for c in columns
        if c not in heading
    ]
    for n, c in enumerate(heading):
        if c not in columns:
            wrong.append(
                Refusal(path.name, 0, shown(c), "unknown_column", expected=",".join(columns))
            )
        elif c in heading[:n]:
            wrong.append(Refusal(path.name, 0, c, "doubled_column"))
    return wrong


def _encoding(path: Path) -> str:
    """Return the encoding that reads the file, else the one that fails on fewer lines."""
    bad = {}
    for encoding in ("utf-8", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as f:
                while block := f.read(_BLOCK):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            with path.open("rb") as f:
                bad[encoding] = sum(1 for line in f if not _decodes(line, encoding))
            continue
        return encoding
    return min(bad, key=lambda e: bad[e])


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _csv(path: Path) -> Iterator[tuple[int, list[str]] | Refusal]:
    encoding = _encoding(path)
    with path.open("rb") as f:
        waiting: list[tuple[int, str]] = []
        for line, text in _lines(f, path.name, encoding):
            if isinstance(text, Refusal):
                yield from _give_up(waiting, path.name)
                waiting = []
                yield text
                continue
            waiting.append((line, text))
            whole = "".join(t for _, t in waiting)
            if whole.count('"') % 2 == 0:
                yield waiting[0][0], _cells(whole)
                waiting = []
            elif len(waiting) >= _LINES_IN_A_RECORD or len(whole) > LONGEST_LINE:
                yield from _give_up(waiting, path.name)
                waiting = []
        yield from _give_up(waiting, path.name)


def _give_up(
    waiting: list[tuple[int, str]], file: str
) -> Iterator[tuple[int, list[str]] | Refusal]:
    """Refuse the line whose quote is never closed; the lines after it stand on their own again."""
    if not waiting:
        return
    line, text = waiting[0]
    yield Refusal(file, line, "*", "quote_not_closed", shown(text.strip()))
    rest: list[tuple[int, str]] = []
    for line, text in waiting[1:]:
        rest.append((line, text))
        whole = "".join(t for _, t in rest)
        if whole.count('"') % 2 == 0:
            yield rest[0][0], _cells(whole)
            rest = []
    yield from _give_up(rest, file)


def _cells(text: str) -> list[str]:
    return next(
        csv.reader(
            [text.rstrip("\r\n")]
            if "\n" not in text.rstrip("\r\n")
            else text.rstrip("\r\n").splitlines(keepends=True)
        ),
        [],
    )


def _lines(f: Any, file: str, encoding: str) -> Iterator[tuple[int, str | Refusal]]:
    number = 0
    while raw := f.readline(LONGEST_LINE * 4 + 1):
        number += 1
        if len(raw) > LONGEST_LINE * 4:
            while raw and not raw.endswith(b"\n"):
                raw = f.readline(_BLOCK)
            yield number, Refusal(file, number, "*", "line_too_long", expected=str(LONGEST_LINE))
            continue
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as exc:
            yield (
                number,
                Refusal(
                    file, number, "*", "broken_encoding", raw[exc.start : exc.start + 8].hex(" ")
                ),
            )
            continue
        if len(text) > LONGEST_LINE:
            yield number, Refusal(file, number, "*", "line_too_long", expected=str(LONGEST_LINE))
            continue
        yield number, text


def _xlsx(path: Path) -> Iterator[tuple[int, list[str]] | Refusal]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError) as exc:
        yield Refusal(path.name, 0, "*", "unreadable_file", type(exc).__name__)
        return
    try:
        sheet = book.worksheets[0]
        width = None
        for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            texts = [_cell_text(c) for c in cells]
            if width is None:
                while texts and not texts[-1]:
                    texts.pop()
                width = len(texts)
            texts = (texts + [""] * width)[: max(width, len(texts))]
            while len(texts) > width and not texts[-1]:
                texts.pop()
            if any(len(t) > LONGEST_LINE for t in texts):
                yield Refusal(path.name, line, "*", "line_too_long", expected=str(LONGEST_LINE))
                continue
            yield line, texts
    finally:
        book.close()


def _cell_text(value: Any) -> str:
    """Return a cell as the CSV file would write it: dates ISO, whole numbers without ``.0``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
