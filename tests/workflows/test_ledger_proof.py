"""The ledger can be proven, and no entry or counter of it can be tampered with unseen."""

# ruff: noqa: E501 -- a statement of SQL is read best on one line.

from __future__ import annotations

import shutil
import subprocess

from sqlalchemy import text

from marketplace.elders import witness
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.settlement import verify as settlement_verify
from marketplace.vouchers import service, verify_rows
from marketplace.vouchers import verify as ledger_verify
from marketplace.vouchers.models import AccountKind
from marketplace.vouchers.payouts import record_payment
from marketplace.workflows.grants import grant_period
from marketplace.workflows.ledger import against_witness, export_beancount, seals_of, verify_ledger
from tests.builders import DISTRICT, NOW, a_hold, a_service
from tests.workflows.books import (
    CHANGE,
    DELETE,
    INSERT,
    LEDGER,
    ONE,
    SWAP,
    TWO,
    books,
    every_way,
    found_in,
    open_the_doors,
    sealed_books,
    tamper,
    unseen,
    ways_done,
)

__all__ = ["books", "sealed_books"]


def test_honest_books_are_proven(session, books):
    verdict = verify_ledger(session)
    assert verdict.findings == ()
    assert verdict.sealed == verdict.transfers > 60


TAMPERINGS = [
    (
        "ledger_account",
        CHANGE,
        "UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE id = 'ent:LV:E1:2026-11'",
        "ent:LV:E1:2026-11",
    ),
    (
        "ledger_account",
        CHANGE,
        "UPDATE ledger_account SET vendor_id = 'V2' WHERE id = 'due:V1:LV'",
        "due:V1:LV",
    ),
    (
        "ledger_account",
        CHANGE,
        "UPDATE ledger_account SET district_code = '321202' WHERE id = 'owed:E1'",
        "ledger_account owed:E1",
    ),
    (
        "ledger_account",
        CHANGE,
        "UPDATE ledger_account SET district_code = '321202' WHERE kind = 'bank'",
        "ledger_account bank:",
    ),
    (
        "ledger_account",
        CHANGE,
        "UPDATE ledger_account SET guarded = (1 = 1) WHERE kind = 'treasury'",
        f"ledger_account treasury:{DISTRICT}: more was taken from it than it had",
    ),
    (
        "ledger_account",
        DELETE,
        "DELETE FROM ledger_account WHERE id = 'due:V1:NV'",
        "ledger_transfer",
    ),
    (
        "ledger_account",
        INSERT,
        "INSERT INTO ledger_account (id, kind, unit, guarded, debits_pending, debits_posted, credits_pending, credits_posted) VALUES ('due:V9:LV', 'due', 'fen', (1 = 0), 0, 0, 0, 5)",
        "ledger_account due:V9:LV: its counters are not its transfers'",
    ),
    (
        "ledger_account",
        INSERT,
        "INSERT INTO ledger_account (id, kind, unit, guarded, debits_pending, debits_posted, credits_pending, credits_posted, vendor_id, programme_code) VALUES ('due:V9:LV', 'due', 'fen', (1 = 0), 0, 0, 0, 0, 'V9', 'LV')",
        "ledger_account due:V9:LV: no transfer ever moved it",
    ),
    (
        "ledger_account",
        SWAP,
        "UPDATE ledger_account SET elder_id = CASE elder_id WHEN 'E1' THEN 'E2' ELSE 'E1' END WHERE id IN ('owed:E1', 'owed:E2')",
        "ledger_account owed:E1",
    ),
    (
        "ledger_transfer",
        CHANGE,
        "UPDATE ledger_transfer SET amount = amount + 1 WHERE id = 'post/W1/1/2'",
        "due:V1:LV",
    ),
    (
        "ledger_transfer",
        CHANGE,
        "UPDATE ledger_transfer SET at = '2026-11-22 00:00:00' WHERE id = 'hold/W1/1/1'",
        "ledger_seal",
    ),
    ("ledger_transfer", DELETE, "DELETE FROM ledger_transfer WHERE id = 'hold/W6/1/2'", "price_s"),
    (
        "ledger_transfer",
        INSERT,
        "INSERT INTO ledger_transfer (serial, id, kind, code, unit, debit_account, credit_account, amount, period, at) VALUES (99999, 'x', 'direct', 'x', 'fen', 'ent:LV:E2:2026-12', 'due:V1:LV', 1, '2026-12', '2026-12-02 00:00:00')",
        "ledger_transfer 99999",
    ),
    (
        "ledger_transfer",
        SWAP,
        "UPDATE ledger_transfer SET debit_account = CASE debit_account WHEN 'owed:E1' THEN 'owed:E2' ELSE 'owed:E1' END WHERE id IN ('post/W1/1/4', 'post/W2/1/4')",
        "ledger_transfer",
    ),
    (
        "ledger_seal",
        CHANGE,
        "UPDATE ledger_seal SET sha256 = previous_sha256 WHERE id = 1",
        "ledger_seal 1",
    ),
    ("ledger_seal", DELETE, "DELETE FROM ledger_seal WHERE id = 2", "ledger_seal 2"),
    (
        "ledger_seal",
        INSERT,
        "INSERT INTO ledger_seal SELECT 3, to_serial + 1, to_serial + 1, 1, sha256, previous_sha256, at FROM ledger_seal WHERE id = 2",
        "ledger_seal 3",
    ),
    (
        "ledger_seal",
        SWAP,
        "UPDATE ledger_seal SET sha256 = (SELECT o.sha256 FROM ledger_seal o WHERE o.id = 3 - ledger_seal.id)",
        "ledger_seal",
    ),
]


def test_an_entry_or_counter_changed_by_hand_is_found_and_named(session, books):
    assert unseen(session, TAMPERINGS) == []


def test_every_table_of_the_ledger_is_tampered_with_in_each_way():
    assert ways_done(TAMPERINGS) == every_way(LEDGER)


UNSEALED = [
    "UPDATE ledger_transfer SET at = '2026-11-22 00:00:00' WHERE id = 'void/W8/1/1'",
    "UPDATE ledger_transfer SET code = 'death' WHERE id = 'void/W8/1/1'",
    "UPDATE ledger_transfer SET period = '2026-12' WHERE id = 'payment/P1'",
    "UPDATE ledger_transfer SET code = 'fee' WHERE id = 'payment/P1'",
    "UPDATE ledger_transfer SET at = '2027-01-01 00:00:00' WHERE id = 'grant/LV:E1:2027-01'",
    "UPDATE ledger_transfer SET period = '2026-12' WHERE id = 'grant/LV:E1:2027-01'",
]


def test_what_the_parts_of_an_id_say_is_known_of_every_kind_of_account():
    assert {*verify_rows.PARTS, AccountKind.ENTITLEMENT} == {*AccountKind}


def test_what_no_seal_covers_yet_cannot_change_unseen_either(session, ports, books):
    with transaction(session):
        a_hold(
            session,
            id="W8",
            version=a_service(session, "ZJ002"),
            visit_on=NOW.date().replace(day=28),
        )
        service.release(session, work_order_id="W8", at=NOW, reason="cancelled")
        record_payment(
            session,
            payment_id="P1",
            elder_id="E1",
            district_code=DISTRICT,
            vendor_id=None,
            fen=100,
            method="family_account",
            period="2026-11",
            at=NOW,
        )
    grant_period(session, ports, ONE, TWO, period=Period(2027, 1))
    assert verify_ledger(session).findings == ()
    open_the_doors(session)
    unseen = []
    for statement in UNSEALED:
        tamper(session, "ledger_transfer", statement)
        found = found_in(session)
        session.rollback()
        if not any(f.startswith("ledger_transfer") for f in found):
            unseen.append((statement, found))
    assert unseen == []


def test_a_missing_guard_is_found(session, books):
    for table in [*ledger_verify.FROZEN, *settlement_verify.FROZEN, *witness.FROZEN]:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text(f"DROP TRIGGER {table}_no_update"))
        else:
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_update"))
        assert found_in(session) == [f"{table} *: the trigger that refuses update is missing"]
        session.rollback()


REPLACED = {
    "sqlite": [
        (
            "DROP TRIGGER redemption_no_update",
            "CREATE TRIGGER redemption_no_update BEFORE UPDATE ON redemption WHEN 1 = 0 BEGIN SELECT RAISE(ABORT, 'redemption: rows are never changed or deleted'); END",
        ),
        (
            "DROP TRIGGER redemption_no_update",
            "CREATE TRIGGER redemption_no_update BEFORE UPDATE ON price_split BEGIN SELECT RAISE(ABORT, 'redemption: rows are never changed or deleted'); END",
        ),
    ],
    "postgresql": [
        ("ALTER TABLE redemption ENABLE REPLICA TRIGGER redemption_no_update",),
        (
            "DROP TRIGGER redemption_no_update ON redemption",
            "CREATE TRIGGER redemption_no_update BEFORE UPDATE ON redemption FOR EACH ROW WHEN (1 = 0) EXECUTE FUNCTION nuanju_refuse_change()",
        ),
        ("DROP TRIGGER redemption_no_truncate ON redemption",),
        (
            "CREATE OR REPLACE FUNCTION nuanju_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        ),
    ],
}


def test_a_guard_that_was_replaced_by_one_that_lets_through_is_found(session, books):
    for statements in REPLACED[session.get_bind().dialect.name]:
        for statement in statements:
            session.execute(text(statement))
        assert any(
            f.startswith("redemption *: the trigger that refuses") for f in found_in(session)
        )
        session.rollback()


CUT_OFF = [
    ("ledger_seal", "DELETE FROM ledger_seal WHERE id = 2"),
    ("audit_event", "DELETE FROM audit_event WHERE action = 'seal_ledger' AND subject_id = '2'"),
]


def test_whoever_cuts_the_end_off_the_chain_and_its_witness_meets_the_one_outside(session, books):
    kept = seals_of(session)
    assert list(kept) == [1, 2]
    assert verify_ledger(session, kept=kept).is_proven
    open_the_doors(session)
    for table, statement in CUT_OFF:
        tamper(session, table, statement)
    assert not any(f.startswith("ledger_seal") for f in found_in(session)), "it agrees with itself"
    connection = session.connection()
    seals = {r.id: r.sha256 for r in connection.execute(text("SELECT id, sha256 FROM ledger_seal"))}
    session.rollback()
    assert [f.row for f in against_witness(seals, kept)] == ["2"]
    assert [f.row for f in against_witness({1: kept[2], 2: kept[2]}, kept)] == ["1"]


def test_an_independent_checker_accepts_the_export(session, books, tmp_path):
    checker = shutil.which("bean-check") or "/opt/nuanju-venv/bin/bean-check"
    path = tmp_path / "ledger.beancount"
    lines = list(export_beancount(session))
    path.write_text("".join(lines), encoding="utf-8")
    done = subprocess.run([checker, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    # It must see one fen: an export with one changed amount is refused.
    at = next(i for i, line in enumerate(lines) if '"post/W1/1/2"' in line)
    lines[at] = lines[at].replace("10000 FEN", "10001 FEN")
    path.write_text("".join(lines), encoding="utf-8")
    done = subprocess.run([checker, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Balance failed" in done.stderr
