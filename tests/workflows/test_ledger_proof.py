"""The ledger can be proven, and no row of money can be tampered with unseen."""

# ruff: noqa: E501 -- a statement of SQL is read best on one line.

from __future__ import annotations

import shutil
import subprocess

import pytest
from sqlalchemy import text

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.settlement import verify as settlement_verify
from marketplace.vouchers import service
from marketplace.vouchers import verify as ledger_verify
from marketplace.workflows.grants import grant_period
from marketplace.workflows.ledger import export_beancount, seal_ledger, verify_ledger
from marketplace.workflows.statements import answer_held
from tests.builders import (
    NOVEMBER,
    NOW,
    a_caregiver,
    a_hold,
    a_service,
    a_vendor,
    an_assessment,
    an_elder,
)
from tests.workflows.test_settlement import DECEMBER_2, VENDOR, close, serve, sign_all

ONE, TWO = Actor("one", Role.SYSTEM), Actor("two", Role.SYSTEM)


@pytest.fixture
def books(session, ports, clock):
    """Two months granted, visits captured, reversed, released, a month closed and paid, all sealed."""
    with transaction(session):
        for n in (1, 2):
            an_elder(session, id=f"E{n}", income_class="dibao")
            an_assessment(session, f"E{n}", level=2)
        a_vendor(session)
        a_caregiver(session)
    grant_period(session, ports, ONE, TWO, period=NOVEMBER)
    with transaction(session):
        version = a_service(session, price_fen=28_000)
        lunch = a_service(session, "ZC002", unit="餐", price_fen=1_000, mode="site")
        serve(session, "W1", version)
        serve(session, "W2", version, elder_id="E2")
        serve(
            session,
            "W3",
            version,
            False,
            "disputed",
            elder_id="E2",
            visit_on=NOW.date().replace(day=24),
        )
        serve(session, "W4", lunch)
        a_hold(session, id="W5", version=version, visit_on=NOW.date().replace(day=25))
        service.release(session, work_order_id="W5", at=NOW, reason="cancelled")
        a_hold(session, id="W6", version=version, visit_on=NOW.date().replace(day=26))
        serve(session, "W7", version, visit_on=NOW.date().replace(day=27))
        service.reverse(session, work_order_id="W7", at=NOW, reason="x", actor="b")
    seal_ledger(session, ports)
    clock.at = DECEMBER_2
    run = close(session, ports).run_id
    answer_held(
        session, ports, VENDOR, run_id=run, work_order_id="W3", vendor_id="V1", text="有签字"
    )
    sign_all(session, ports)
    grant_period(session, ports, ONE, TWO, period=Period(2026, 12))
    seal_ledger(session, ports)


def test_honest_books_are_proven(session, books):
    verdict = verify_ledger(session)
    assert verdict.findings == ()
    assert verdict.sealed == verdict.transfers > 60


def _open_the_doors(session):
    """Do what an intruder with the owner's rights does first: no foreign keys, no checks."""
    if session.get_bind().dialect.name == "sqlite":
        # A pragma counts only outside a transaction, and these connections begin one by themselves.
        raw = session.connection().connection.dbapi_connection
        raw.execute("COMMIT")
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        raw.execute("BEGIN")


def _tamper(session, table, statements):
    """Change rows of a table past its triggers, which stand again afterwards."""
    if session.get_bind().dialect.name == "sqlite":
        triggers = session.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"),
            {"t": table},
        ).all()
        for name, _ in triggers:
            session.execute(text(f"DROP TRIGGER {name}"))
    else:
        triggers = []
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for name in session.scalars(
            text(
                "SELECT conname FROM pg_constraint"
                " WHERE contype IN ('c', 'u') AND conrelid = CAST(:t AS regclass)"
            ),
            {"t": table},
        ).all():
            session.execute(text(f'ALTER TABLE {table} DROP CONSTRAINT "{name}" CASCADE'))
    for statement in statements.split(";"):
        session.execute(text(statement.replace(" by = ", ' "by" = ')))
    for _, sql in triggers:
        session.execute(text(sql))


def _found(session):
    connection = session.connection()
    found = [str(f) for f in ledger_verify.verify(connection).findings]
    return found + [f"{f.table} {f.row}: {f.rule}" for f in settlement_verify.verify(connection)]


TAMPERINGS = [
    (
        "ledger_account",
        "UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE id = 'ent:LV:E1:2026-11'",
        "ent:LV:E1:2026-11",
    ),
    (
        "ledger_account",
        "UPDATE ledger_account SET vendor_id = 'V2' WHERE id = 'due:V1:LV'",
        "due:V1:LV",
    ),
    ("ledger_account", "DELETE FROM ledger_account WHERE id = 'due:V1:NV'", "ledger_transfer"),
    (
        "ledger_account",
        "INSERT INTO ledger_account (id, kind, unit, guarded, debits_pending, debits_posted, credits_pending, credits_posted) VALUES ('due:V9:LV', 'due', 'fen', (1 = 0), 0, 0, 0, 5)",
        "due:V9:LV",
    ),
    (
        "ledger_transfer",
        "UPDATE ledger_transfer SET amount = amount + 1 WHERE id = 'post/W1/1/2'",
        "due:V1:LV",
    ),
    (
        "ledger_transfer",
        "UPDATE ledger_transfer SET at = '2026-11-22 00:00:00' WHERE id = 'hold/W1/1/1'",
        "ledger_seal",
    ),
    ("ledger_transfer", "DELETE FROM ledger_transfer WHERE id = 'hold/W6/1/2'", "price_s"),
    (
        "ledger_transfer",
        "INSERT INTO ledger_transfer (serial, id, kind, code, unit, debit_account, credit_account, amount, period, at) VALUES (99999, 'x', 'direct', 'x', 'fen', 'ent:LV:E2:2026-12', 'due:V1:LV', 1, '2026-12', '2026-12-02 00:00:00')",
        "due:V1:LV",
    ),
    (
        "ledger_transfer",
        "UPDATE ledger_transfer SET debit_account = CASE debit_account WHEN 'owed:E1' THEN 'owed:E2' ELSE 'owed:E1' END WHERE id IN ('post/W1/1/4', 'post/W2/1/4')",
        "ledger_transfer",
    ),
    (
        "ledger_seal",
        "UPDATE ledger_seal SET sha256 = previous_sha256 WHERE id = 1",
        "ledger_seal 1",
    ),
    ("ledger_seal", "DELETE FROM ledger_seal WHERE id = 2", "ledger_seal 2"),
    (
        "entitlement",
        "UPDATE entitlement SET ends_on = '2027-12-31' WHERE account_id = 'ent:LV:E1:2026-11'",
        "ent:LV:E1:2026-11",
    ),
    (
        "entitlement",
        "DELETE FROM entitlement WHERE account_id = 'ent:LV:E1:2026-12'",
        "ent:LV:E1:2026-12",
    ),
    (
        "entitlement",
        "INSERT INTO entitlement SELECT 'ent:LV:E1:2027-01', elder_id, programme_code, programme_version, slot, tier, district_code, '2027-01', 0, unit, granted, valid_from, ends_on, grant_run_id, replaces_id FROM entitlement WHERE account_id = 'ent:LV:E1:2026-12'",
        "ent:LV:E1:2027-01",
    ),
    (
        "price_split",
        "UPDATE price_split SET price_fen = price_fen - 1 WHERE work_order_id = 'W1'",
        "price_split W1",
    ),
    (
        "price_split",
        "UPDATE price_split SET state = 'held' WHERE work_order_id = 'W5'",
        "price_split W5",
    ),
    (
        "price_split",
        "UPDATE price_split SET elder_id = 'E2' WHERE work_order_id = 'W1'",
        "price_share W1",
    ),
    ("price_split", "DELETE FROM price_split WHERE work_order_id = 'W6'", "price_share W6"),
    (
        "price_share",
        "UPDATE price_share SET fen = fen + 1 WHERE work_order_id = 'W1' AND position = 1",
        "W1",
    ),
    (
        "price_share",
        "UPDATE price_share SET position = 11 - position WHERE work_order_id = 'W1'",
        "price_share W1",
    ),
    ("price_share", "DELETE FROM price_share WHERE work_order_id = 'W6' AND position = 1", "W6"),
    (
        "redemption",
        "UPDATE redemption SET vendor_id = 'V2' WHERE work_order_id = 'W1'",
        "redemption W1",
    ),
    ("redemption", "DELETE FROM redemption WHERE work_order_id = 'W1'", "W1"),
    (
        "redemption",
        "UPDATE redemption SET visit_id = '' WHERE work_order_id = 'W1'; UPDATE redemption SET visit_id = 'X-W1' WHERE work_order_id = 'W2'; UPDATE redemption SET visit_id = 'X-W2' WHERE work_order_id = 'W1'",
        "W1",
    ),
    ("grant_run", "UPDATE grant_run SET fen = fen - 1", "grant_run"),
    ("grant_run", "UPDATE grant_run SET released_by = 'three'", "grant_run"),
    ("settlement_run", "UPDATE settlement_run SET closed_by = 'nobody'", "settlement_run"),
    ("settlement_run", "DELETE FROM settlement_run", "settlement_run"),
    ("statement", "UPDATE statement SET vendor_name = 'x'", "statement ST"),
    (
        "statement",
        "UPDATE statement SET payable_fen = payable_fen + 1, total_fen = total_fen + 1",
        "statement ST",
    ),
    ("statement", "DELETE FROM statement", "statement"),
    (
        "statement_line",
        "UPDATE statement_line SET minutes = minutes + 1 WHERE number = 1",
        "statement ST",
    ),
    ("statement_line", "DELETE FROM statement_line WHERE number = 2", "statement_line ST"),
    ("settlement_held", "UPDATE settlement_held SET reason = 'x'", "settlement_run"),
    ("settlement_held", "DELETE FROM settlement_held", "settlement_run"),
    ("held_answer", "UPDATE held_answer SET text = 'x'", "held_answer"),
    ("held_answer", "DELETE FROM held_answer", "held_answer"),
    (
        "statement_signature",
        "UPDATE statement_signature SET by = 'x' WHERE number = 4",
        "statement_signature ST",
    ),
    (
        "statement_signature",
        "DELETE FROM statement_signature WHERE number = 4",
        "statement_signature ST",
    ),
]


def test_a_row_changed_by_hand_is_found_and_named(session, books):
    _open_the_doors(session)
    unseen = []
    for table, statements, named in TAMPERINGS:
        _tamper(session, table, statements)
        found = _found(session)
        session.rollback()
        if not any(named in f for f in found):
            unseen.append((statements, named, found))
    assert unseen == []


def test_a_missing_guard_is_found(session, books):
    for table in [*ledger_verify.FROZEN, *settlement_verify.FROZEN]:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text(f"DROP TRIGGER {table}_no_update"))
        else:
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_update"))
        assert _found(session) == [f"{table} *: the trigger that refuses update is missing"]
        session.rollback()


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
