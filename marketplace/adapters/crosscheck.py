"""Other authorities' lists replayed from files: what stands in for their exchange of data.

A list is a CSV (UTF-8 or GB18030) or XLSX file with one heading line, as those authorities hand out;
a line of their interface has the same cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from marketplace.kernel.ports import FeedLine
from marketplace.workflows.load.reading import read
from marketplace.workflows.load.refusals import Refusal


class FileCrossChecks:
    """Reads lists from files; a list's name is its path."""

    def lines(self, name: str, columns: Sequence[str]) -> Iterator[FeedLine]:
        """Yield every line of the file, the unreadable ones with what is wrong."""
        path = Path(name)
        if not path.is_file():
            yield FeedLine(0, refused="missing_file", column="*", value=path.name)
            return
        for row in read(path, tuple(columns)):
            if isinstance(row, Refusal):
                yield FeedLine(
                    row.line,
                    refused=row.code,
                    column=row.field,
                    value=row.value,
                    expected=row.expected,
                )
            else:
                yield FeedLine(row.line, cells=row.cells)
