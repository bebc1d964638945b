"""Write refused rows to files that can be mended and loaded again."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from marketplace.workflows.load.reading import Row, find, read
from marketplace.workflows.load.refusals import Refusal
from marketplace.workflows.load.register import kinds
from marketplace.workflows.load.rows import FileRow, OrderFileRow

Words = Callable[[Refusal], str]


def write_refused(
    folder: Path, to: Path, refusals: Sequence[Refusal], problem: Words, cure: Words
) -> None:
    """Write ``<file>.csv`` with the refused rows as they came, and ``reasons.csv`` beside them.

    A row that cannot be read as cells (broken encoding, endless line) has its line in the reasons
    only: it must be mended where it came from. Texts that would run as a formula are written with a
    leading apostrophe in the reasons, never in the rows.
    """
    to.mkdir(parents=True, exist_ok=True)
    with (to / "reasons.csv").open("w", encoding="utf-8-sig", newline="") as f:
        reasons = csv.writer(f, lineterminator="\n")
        reasons.writerow(["file", "line", "field", "value", "problem", "cure"])
        for r in refusals:
            value = f"'{r.value}" if r.value[:1] in "=+-@" and r.value else r.value
            reasons.writerow([r.file, r.line, r.field, value, problem(r), cure(r)])
    models: dict[str, type[FileRow]] = {k.name: k.model for k in kinds(None)}  # type: ignore[arg-type]
    models["orders"] = OrderFileRow
    by_file = sorted(refusals, key=lambda r: Path(r.file).stem)
    for name, group in groupby(by_file, key=lambda r: Path(r.file).stem):
        path = find(folder, name)
        if path is None:
            continue
        lines = {r.line for r in group}
        columns = tuple(models[name].model_fields)
        with (to / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(columns)
            for row in read(path, columns):
                if isinstance(row, Row) and row.line in lines:
                    out.writerow([row.cells[c] for c in columns])
