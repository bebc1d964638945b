"""The table of a bench, on the screen and as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Row:
    """One file solved once. ``value`` is None where the answer breaks a rule or leaves one out."""

    file: str
    value: float | None
    best_known: float | None
    seconds: float
    seed: int
    engine: str = "ours"
    note: str = ""

    @property
    def gap(self) -> float | None:
        """Per cent above the best known value; below 0 is better than it."""
        if self.value is None or self.best_known is None:
            return None
        return 100 * (self.value / self.best_known - 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a file: a value, or a note why there is none, and the text of a solution."""

    value: float | None
    seconds: float
    note: str
    solution: str


COLUMNS = ("file", "value", "best known", "gap %", "seconds", "seed")


class Table:
    """Rows printed as they come, the means at the end; the rows go to a CSV file as well.

    The file grows row by row, so that a bench that is stopped leaves what it has measured.
    """

    def __init__(
        self, names: Sequence[str], *, decimals: int, with_engine: bool = False,
        out: TextIO | None = None, csv_path: str | Path | None = None,
    ) -> None:  # fmt: skip
        self.rows: list[Row] = []
        self.decimals = decimals
        self.with_engine = with_engine
        self.width = max([len(name) for name in names] + [4])
        self.out = sys.stdout if out is None else out
        self.csv_path = None if csv_path is None else Path(csv_path)
        self._line((*COLUMNS, *(("engine",) if with_engine else ())))
        head = [name.replace(" ", "_").removesuffix("_%") for name in COLUMNS]
        self._write_csv((*head, *(("engine",) if with_engine else ())), "w")

    def add(self, row: Row) -> None:
        """Print a row."""
        self.rows.append(row)
        cells = (row.file, *self._cells(row))
        self._line((*cells, *((row.engine,) if self.with_engine else ())), row.note)
        cells = tuple("" if cell == "-" else cell for cell in cells)
        self._write_csv((*cells, *((row.engine,) if self.with_engine else ())), "a")

    def finish(self) -> None:
        """Print the mean gap of each engine."""
        for engine in dict.fromkeys(row.engine for row in self.rows):
            own = [row for row in self.rows if row.engine == engine]
            gaps = [row.gap for row in own if row.gap is not None]
            if not gaps:
                continue
            seconds = sum(row.seconds for row in own) / len(own)
            text = f"mean gap {sum(gaps) / len(gaps):.3f} % over {len(gaps)} runs, {seconds:.1f} s"
            self._say(f"{text} each" + (f" ({engine})" if self.with_engine else ""))

    def _write_csv(self, cells: Sequence[str], mode: str) -> None:
        """Add a line to the CSV file, if there is one; an empty cell is nothing to say."""
        if self.csv_path is not None:
            with self.csv_path.open(mode, newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(cells)

    def _cells(self, row: Row) -> tuple[str, ...]:
        return (
            "-" if row.value is None else f"{row.value:.{self.decimals}f}",
            "-" if row.best_known is None else f"{row.best_known:.{self.decimals}f}",
            "-" if row.gap is None else f"{row.gap:.3f}",
            f"{row.seconds:.1f}",
            str(row.seed),
        )

    def _line(self, cells: Sequence[str], note: str = "") -> None:
        first, *rest = cells
        shown = [f"{first:<{self.width}}", *(f"{cell:>12}" for cell in rest)]
        self._say("  ".join(shown) + (f"  {note}" if note else ""))

    def _say(self, line: str) -> None:
        self.out.write(line.rstrip() + "\n")
        self.out.flush()
