"""What a spreadsheet makes of a statement."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

from openpyxl import load_workbook

from marketplace.settlement.export import Document, to_csv, to_xlsx
from marketplace.settlement.rules import Line

FORMULA = "=HYPERLINK(1)"


def document() -> Document:
    line = Line(
        "visit", "W1", "X1", FORMULA, "ZJ001", date(2026, 11, 1), "2026-11", 60, {"GP": 100}
    )
    return Document(
        statement_id="ST",
        period="2026-11",
        vendor_id="V1",
        vendor_name=FORMULA,
        district_code="321204",
        district_name="姜堰区",
        closed_at=datetime(2026, 12, 1, tzinfo=UTC),
        total_fen=100,
        payable_fen=100,
        outside_fen=0,
        own_fen=0,
        holdback_fen=10,
        by_programme={"GP": 100},
        sha256="0" * 64,
        lines=[line],
        service_names={"ZJ001": FORMULA},
        programme_names={"GP": FORMULA},
    )


def test_no_name_of_a_statement_is_computed_by_a_spreadsheet():
    """Nor a programme's, which heads a column."""
    text = to_csv(document()).decode("utf-8-sig")
    assert text.count(FORMULA) == text.count(f"'{FORMULA}") == 4
    sheets = load_workbook(io.BytesIO(to_xlsx(document()))).worksheets
    cells = [cell for sheet in sheets for row in sheet.iter_rows() for cell in row]
    assert [cell.coordinate for cell in cells if cell.data_type == "f"] == []
