"""Tables of the desks as files that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from flask import current_app
from flask.wrappers import Response

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


def sheet(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return a table as a CSV file that a spreadsheet opens, its cells never formulas."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        writer.writerow(
            [f"'{c}" if c.startswith(_FORMULA) and not _is_number(c) else c for c in cells]
        )
    answer = current_app.response_class("\ufeff" + out.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
