"""No closing, statement, payment or debt of a vendor can be tampered with unseen."""

# ruff: noqa: E501 -- a statement of SQL is read best on one line.

from __future__ import annotations

from sqlalchemy import text

from marketplace.settlement import verify as settlement_verify
from tests.builders import DISTRICT
from tests.workflows.books import (
    CHANGE,
    DELETE,
    INSERT,
    SWAP,
    books,
    every_way,
    open_the_doors,
    sealed_books,
    tamper,
    unseen,
    ways_done,
)

__all__ = ["books", "sealed_books"]

TAMPERINGS = [
    ("settlement_run", CHANGE, "UPDATE settlement_run SET closed_by = 'nobody'", "settlement_run"),
    ("settlement_run", DELETE, "DELETE FROM settlement_run", "settlement_run"),
    (
        "settlement_run",
        INSERT,
        "INSERT INTO settlement_run SELECT 'SR-x', '2026-09', district_code, closed_at, closed_by, 0, 0, 0, 0, sha256 FROM settlement_run WHERE period = '2026-11'",
        "settlement_run SR-x",
    ),
    (
        "settlement_run",
        SWAP,
        "UPDATE settlement_run SET lines = statements, statements = lines",
        "settlement_run",
    ),
    ("statement", CHANGE, "UPDATE statement SET vendor_name = 'x'", "statement ST"),
    (
        "statement",
        CHANGE,
        "UPDATE statement SET payable_fen = payable_fen + 1, total_fen = total_fen + 1",
        "statement ST",
    ),
    ("statement", DELETE, "DELETE FROM statement", "statement"),
    (
        "statement",
        INSERT,
        "INSERT INTO statement SELECT 'ST-x', run_id, '2026-10', vendor_id, vendor_name, district_code, lines, total_fen, payable_fen, outside_fen, own_fen, holdback_fen, by_programme, sha256 FROM statement WHERE period = '2026-11'",
        "statement ST-x",
    ),
    (
        "statement",
        SWAP,
        "UPDATE statement SET own_fen = outside_fen, outside_fen = own_fen, payable_fen = holdback_fen, holdback_fen = payable_fen",
        "statement ST",
    ),
    (
        "statement_line",
        CHANGE,
        "UPDATE statement_line SET minutes = minutes + 1 WHERE number = 1",
        "statement ST",
    ),
    (
        "statement_line",
        DELETE,
        "DELETE FROM statement_line WHERE number = 2",
        "statement_line ST",
    ),
    (
        "statement_line",
        INSERT,
        "INSERT INTO statement_line SELECT statement_id, 99, 'fee', work_order_id, visit_id, elder_id, service_code, visit_on, origin_period, minutes, total_fen, by_programme FROM statement_line WHERE number = 1",
        "statement_line ST",
    ),
    (
        "statement_line",
        SWAP,
        "UPDATE statement_line SET visit_id = CASE number WHEN 1 THEN 'X-W2' ELSE 'X-W1' END WHERE number IN (1, 2)",
        "statement ST",
    ),
    ("settlement_held", CHANGE, "UPDATE settlement_held SET reason = 'x'", "settlement_run"),
    ("settlement_held", CHANGE, "UPDATE settlement_held SET facts = '{}'", "settlement_run"),
    ("settlement_held", DELETE, "DELETE FROM settlement_held", "settlement_run"),
    (
        "settlement_held",
        INSERT,
        "INSERT INTO settlement_held SELECT run_id, 'W6', vendor_id, reason, facts FROM settlement_held",
        "settlement_run",
    ),
    (
        "settlement_held",
        SWAP,
        "UPDATE settlement_held SET vendor_id = reason, reason = vendor_id",
        "settlement_run",
    ),
    ("held_answer", CHANGE, "UPDATE held_answer SET text = 'x'", "held_answer"),
    ("held_answer", DELETE, "DELETE FROM held_answer", "held_answer"),
    (
        "held_answer",
        INSERT,
        "INSERT INTO held_answer SELECT 'HA-x', run_id, work_order_id, at, by, text, text_sha256 FROM held_answer WHERE text = '有签字'",
        "held_answer W3",
    ),
    (
        "held_answer",
        SWAP,
        "UPDATE held_answer SET text = CASE text WHEN '有签字' THEN '见附件' ELSE '有签字' END",
        "held_answer",
    ),
    (
        "statement_signature",
        CHANGE,
        "UPDATE statement_signature SET by = 'x' WHERE number = 4",
        "statement_signature ST",
    ),
    (
        "statement_signature",
        CHANGE,
        "UPDATE statement_signature SET note = 'x' WHERE number = 4",
        "statement_signature ST",
    ),
    (
        "statement_signature",
        DELETE,
        "DELETE FROM statement_signature WHERE number = 4",
        "statement_signature ST",
    ),
    (
        "statement_signature",
        INSERT,
        "INSERT INTO statement_signature SELECT statement_id, 5, 4, step, at, by || 'x', role, note, content_sha256 FROM statement_signature WHERE number = 4",
        "statement_signature ST",
    ),
    (
        "statement_signature",
        SWAP,
        "UPDATE statement_signature SET step = CASE number WHEN 2 THEN 'county_approved' ELSE 'street_checked' END WHERE number IN (2, 3)",
        "statement_signature ST",
    ),
    (
        "sample_result",
        CHANGE,
        "UPDATE sample_result SET outcome = 'doubtful' WHERE way = 'call'",
        "sample_result ST",
    ),
    ("sample_result", CHANGE, "UPDATE sample_result SET by = 'x'", "sample_result ST"),
    (
        "sample_result",
        DELETE,
        "DELETE FROM sample_result WHERE way = 'field'",
        "sample_result ST",
    ),
    (
        "sample_result",
        INSERT,
        "INSERT INTO sample_result SELECT statement_id, number + 7, way, outcome, note, at, by FROM sample_result WHERE way = 'field'",
        "sample_result ST",
    ),
    (
        "sample_result",
        SWAP,
        "UPDATE sample_result SET note = by, by = note",
        "sample_result ST",
    ),
    (
        "withheld_line",
        CHANGE,
        "UPDATE withheld_line SET at = '2026-12-01 00:00:00'",
        "withheld_line ST",
    ),
    ("withheld_line", DELETE, "DELETE FROM withheld_line", "withheld_line ST"),
    (
        "withheld_line",
        INSERT,
        "INSERT INTO withheld_line SELECT statement_id, 1, 'W1', at FROM withheld_line",
        "withheld_line ST",
    ),
    (
        "withheld_line",
        SWAP,
        "UPDATE withheld_line SET work_order_id = 'W1'",
        "withheld_line ST",
    ),
    ("holdback_step", CHANGE, "UPDATE holdback_step SET score = 100", "holdback_step 2026Q4"),
    (
        "holdback_step",
        DELETE,
        "DELETE FROM holdback_step WHERE number = 2",
        "holdback_step 2026Q4",
    ),
    (
        "holdback_step",
        INSERT,
        "INSERT INTO holdback_step SELECT '2026Q3', vendor_id, district_code, number, previous, score, percent, paid_fen, kept_fen, reason, at, by FROM holdback_step WHERE number = 1",
        "holdback_step 2026Q3",
    ),
    (
        "holdback_step",
        SWAP,
        "UPDATE holdback_step SET paid_fen = kept_fen + 1, kept_fen = paid_fen - 1",
        "holdback_step 2026Q4",
    ),
    ("write_off_step", CHANGE, "UPDATE write_off_step SET fen = fen + 1", "write_off_step"),
    ("write_off_step", DELETE, "DELETE FROM write_off_step WHERE number = 2", "write_off_step"),
    (
        "write_off_step",
        INSERT,
        "INSERT INTO write_off_step SELECT 'WO-x', number, previous, vendor_id, district_code, fen, reason, at, by FROM write_off_step WHERE number = 1",
        "write_off_step WO-x",
    ),
    (
        "write_off_step",
        SWAP,
        "UPDATE write_off_step SET reason = by, by = reason",
        "write_off_step",
    ),
]


def test_a_row_of_a_closing_or_debt_changed_by_hand_is_found_and_named(session, books):
    assert unseen(session, TAMPERINGS) == []


def test_every_table_of_settlement_is_tampered_with_in_each_way():
    assert ways_done(TAMPERINGS) == every_way(settlement_verify.FROZEN)


PAYOUTS = [
    "UPDATE ledger_transfer SET amount = amount + 1 WHERE id = 'payout/{st}/LV'",
    "UPDATE ledger_transfer SET debit_account = 'due:V1:GP-A2' WHERE id = 'payout/{st}/LV'",
    "DELETE FROM ledger_transfer WHERE id = 'payout/{st}/LV'",
    "DELETE FROM ledger_transfer WHERE code = 'payout'",
    "DELETE FROM ledger_transfer WHERE id = 'holdback/2026Q4/paid/{st}/LV'",
    "UPDATE ledger_transfer SET credit_account = 'bank:321202' WHERE id = 'holdback/2026Q4/paid/{st}/LV'",
    "UPDATE ledger_transfer SET credit_account = 'due:V1:LV', debit_account = 'due:V2:LV' WHERE code = 'holdback_kept'",
]


def test_a_payout_of_another_sum_is_found_whoever_made_its_hashes_again(session, books):
    """The closings say what may leave the bank, whatever the ledger says of itself."""
    open_the_doors(session)
    unseen = []
    for statement in PAYOUTS:
        tamper(session, "ledger_transfer", statement.format(st=f"ST-2026-11-{DISTRICT}-V1"))
        found = list(settlement_verify.verify(session.connection()))
        session.rollback()
        if not found:
            unseen.append(statement)
    assert unseen == []


NAMES_NOTHING = [
    ("payout/x", "payout"),
    ("repayment/x", "repayment"),
    ("write_off/x/own", "write_off"),
    ("holdback/2026Q4/paid", "holdback_paid"),
    ("holdback/2026Q4/x/{st}/LV", "holdback_kept"),
]


def test_a_payment_whose_id_names_nothing_is_named_by_it(session, books):
    unnamed = []
    for id, code in NAMES_NOTHING:
        id = id.format(st=f"ST-2026-11-{DISTRICT}-V1")
        session.execute(
            text(
                "INSERT INTO ledger_transfer (serial, id, kind, code, unit, debit_account,"
                " credit_account, amount, period, at) VALUES (99999, :id, 'direct', :code, 'fen',"
                " 'due:V1:LV', 'due:V1:OWN', 7, '2027-01', '2027-01-06 00:00:00')"
            ),
            {"id": id, "code": code},
        )
        found = [str(f) for f in settlement_verify.verify(session.connection())]
        session.rollback()
        if not any(f.startswith(f"ledger_transfer {id}: ") for f in found):
            unnamed.append((id, found))
    assert unnamed == []
