"""The ledger can be proven, and no row of money can be tampered with unseen."""

# ruff: noqa: E501 -- a statement of SQL is read best on one line.

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from marketplace.elders import history, witness
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.settlement import verify as settlement_verify
from marketplace.vouchers import service
from marketplace.vouchers import verify as ledger_verify
from marketplace.vouchers.payouts import record_payment
from marketplace.workflows.grants import grant_period
from marketplace.workflows.holdback import release_holdback, score_holdback
from marketplace.workflows.ledger import (
    against_witness,
    export_beancount,
    seal_ledger,
    seals_of,
    verify_ledger,
)
from marketplace.workflows.own_money import CashRequest, owed_fen, take_cash
from marketplace.workflows.purses import (
    ApplyForGrant,
    DecideApplication,
    apply_for_grant,
    decide_application,
)
from marketplace.workflows.statements import answer_held
from marketplace.workflows.vendor_debts import (
    RepayRequest,
    WriteOffDecision,
    WriteOffRequest,
    propose_write_off,
    repay,
    write_off,
)
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    NOW,
    a_captured_visit,
    a_caregiver,
    a_confirmed_visit,
    a_hold,
    a_service,
    a_vendor,
    an_assessment,
    an_elder,
)
from tests.workflows.months import (
    BUREAU,
    BUREAU_2,
    DECEMBER_2,
    Q4,
    VENDOR,
    close,
    close_quarter,
    sign_all,
)
from tests.workflows.test_programmes import changed, proposed, released
from tests.workflows.world import key

ONE, TWO = Actor("one", Role.SYSTEM), Actor("two", Role.SYSTEM)
MORE_HOURS = changed(("amount = 120", "amount = 180"), valid_from="2027-03-01")
FROM_85 = changed(("at_least = 80\nsource", "at_least = 85\nsource"), valid_from="2027-04-01")
TODAY = {
    "from_on": NOW.date(),
    "today": NOW.date(),
    "source": "assistance: list.csv",
    "at": NOW,
    "by": "b",
}
JANUARY_5 = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)


@pytest.fixture
def books(session, ports, clock):
    """Two months granted, visits captured, reversed, released, a month closed and paid, all sealed."""
    with transaction(session):
        for n in (1, 2):
            an_elder(session, id=f"E{n}", income_class="dibao", address=f"人民路 {n} 号")
            an_assessment(session, f"E{n}", level=2)
            history.change(session, f"E{n}", "lives_alone", True, **TODAY)
        a_vendor(session)
        a_caregiver(session)
    grant_period(session, ports, ONE, TWO, period=NOVEMBER)
    with transaction(session):
        version = a_service(session, price_fen=28_000)
        lunch = a_service(session, "ZC002", unit="餐", price_fen=1_000, mode="site")
        a_captured_visit(session, "W1", version)
        a_captured_visit(session, "W2", version, elder_id="E2")
        on = NOW.date().replace(day=24)
        a_hold(session, id="W3", version=version, vendor_id="V1", elder_id="E2", visit_on=on)
        a_confirmed_visit(session, "W3", "disputed")
        a_captured_visit(session, "W4", lunch)
        a_hold(session, id="W5", version=version, visit_on=NOW.date().replace(day=25))
        service.release(session, work_order_id="W5", at=NOW, reason="cancelled")
        a_hold(session, id="W6", version=version, visit_on=NOW.date().replace(day=26))
        a_captured_visit(session, "W10", version, visit_on=NOW.date().replace(day=28))
        a_captured_visit(session, "W7", version, visit_on=NOW.date().replace(day=27))
        service.reverse(session, work_order_id="W7", at=NOW, reason="x", actor="b")
    seal_ledger(session, ports)
    clock.at = DECEMBER_2
    run = close(session, ports).run_id
    for said in ("有签字", "见附件"):
        answer_held(session, ports, VENDOR, run_id=run, work_order_id="W3", text=said)
    with transaction(session):
        service.reverse(session, work_order_id="W10", at=DECEMBER_2, reason="x", actor="b")
    sign_all(session, ports)
    grant_period(session, ports, ONE, TWO, period=Period(2026, 12))
    change = proposed(session, ports, MORE_HOURS, key="p1")
    proposed(session, ports, FROM_85, key="p2")
    released(session, ports, change)
    decide(session, ports, applied(session, ports, "E1"), approve=True)
    decide(session, ports, applied(session, ports, "E2"), approve=False)
    clock.at = JANUARY_5
    close_quarter(session, ports)
    sign_all(session, ports, f"ST-2026-12-{DISTRICT}-V1")
    score_holdback(session, ports, BUREAU, **Q4, score=90, reason="回访满意率")
    release_holdback(session, ports, BUREAU_2, **Q4)
    decide(session, ports, applied(session, ports, "E2"), approve=True)
    owe(session, ports)
    seal_ledger(session, ports)


def owe(session, ports):
    """Take a visit back that was paid in cash; the vendor repays a part of it, the rest is given up."""
    fen = {s.programme_code: s.fen for s in service.shares_of(session, "W1")}["OWN"]
    session.rollback()
    owed = owed_fen(session, "E1")
    assert owed >= fen
    take_cash(session, ports, VENDOR, key="cash", request=CashRequest("W1", owed))
    with transaction(session):
        service.reverse(session, work_order_id="W1", at=JANUARY_5, reason="x", actor="b")
    repay(session, ports, BUREAU, key="r", request=RepayRequest("V1", DISTRICT, 500, "R-1"))
    request = WriteOffRequest("V1", DISTRICT, 300, "uncollectible")
    asked = propose_write_off(session, ports, BUREAU, key="p", request=request)
    write_off(session, ports, BUREAU_2, key="w", request=WriteOffDecision(asked.id, "so it is"))


def applied(session, ports, elder_id):
    request = ApplyForGrant(elder_id, "ADAPT", "handrails in the bath")
    return apply_for_grant(session, ports, ONE, key=key(), request=request).application_id


def decide(session, ports, application_id, *, approve):
    request = DecideApplication(application_id, approve, "seen at home")
    decide_application(session, ports, TWO, key=key(), request=request)


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
        # ``by`` needs quotes on PostgreSQL and is always a word of its own here.
        session.execute(text(re.sub(r"\bby\b", '"by"', statement)))
    for _, sql in triggers:
        session.execute(text(sql))


def _found(session):
    connection = session.connection()
    found = [str(f) for f in ledger_verify.verify(connection).findings]
    more = [*settlement_verify.verify(connection), *witness.verify(connection)]
    return found + [f"{f.table} {f.row}: {f.rule}" for f in more]


CHANGE, DELETE, INSERT, SWAP = "change", "delete", "insert", "swap"

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
        DELETE,
        "DELETE FROM ledger_account WHERE id = 'due:V1:NV'",
        "ledger_transfer",
    ),
    (
        "ledger_account",
        INSERT,
        "INSERT INTO ledger_account (id, kind, unit, guarded, debits_pending, debits_posted, credits_pending, credits_posted) VALUES ('due:V9:LV', 'due', 'fen', (1 = 0), 0, 0, 0, 5)",
        "due:V9:LV",
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
    (
        "entitlement",
        CHANGE,
        "UPDATE entitlement SET ends_on = '2027-12-31' WHERE account_id = 'ent:LV:E1:2026-11'",
        "ent:LV:E1:2026-11",
    ),
    (
        "entitlement",
        DELETE,
        "DELETE FROM entitlement WHERE account_id = 'ent:LV:E1:2026-12'",
        "ent:LV:E1:2026-12",
    ),
    (
        "entitlement",
        INSERT,
        "INSERT INTO entitlement SELECT 'ent:LV:E1:2027-01', elder_id, programme_code, programme_version, slot, tier, district_code, '2027-01', 0, unit, granted, valid_from, ends_on, grant_run_id, replaces_id FROM entitlement WHERE account_id = 'ent:LV:E1:2026-12'",
        "ent:LV:E1:2027-01",
    ),
    (
        "entitlement",
        SWAP,
        "UPDATE entitlement SET valid_from = ends_on, ends_on = valid_from WHERE account_id = 'ent:LV:E1:2026-11'",
        "ent:LV:E1:2026-11",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET price_fen = price_fen - 1 WHERE work_order_id = 'W1'",
        "price_split W1",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET state = 'held' WHERE work_order_id = 'W5'",
        "price_split W5",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET elder_id = 'E2' WHERE work_order_id = 'W1'",
        "price_share W1",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET at = '2026-11-22 00:00:00' WHERE work_order_id = 'W6'",
        "price_split W6",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET minutes = minutes + 1 WHERE work_order_id = 'W6'",
        "price_split W6",
    ),
    (
        "price_split",
        CHANGE,
        "UPDATE price_split SET sold = (SELECT o.sold FROM price_split o WHERE o.work_order_id = 'W4') WHERE work_order_id = 'W1'",
        "price_split W1",
    ),
    ("price_split", DELETE, "DELETE FROM price_split WHERE work_order_id = 'W6'", "price_share W6"),
    (
        "price_split",
        INSERT,
        "INSERT INTO price_split SELECT 'W99', revision, elder_id, district_code, period, use_on, price_fen, minutes, sold, state, at FROM price_split WHERE work_order_id = 'W1'",
        "price_split W99",
    ),
    (
        "price_split",
        SWAP,
        "UPDATE price_split SET price_fen = 29000 - price_fen WHERE work_order_id IN ('W1', 'W4')",
        "price_split W1",
    ),
    (
        "price_share",
        CHANGE,
        "UPDATE price_share SET fen = fen + 1 WHERE work_order_id = 'W1' AND position = 1",
        "W1",
    ),
    (
        "price_share",
        CHANGE,
        "UPDATE price_share SET sold_sha256 = NULL WHERE work_order_id = 'W1' AND position = 1",
        "price_share W1",
    ),
    (
        "price_share",
        SWAP,
        "UPDATE price_share SET position = 11 - position WHERE work_order_id = 'W1'",
        "price_share W1",
    ),
    (
        "price_share",
        DELETE,
        "DELETE FROM price_share WHERE work_order_id = 'W6' AND position = 1",
        "W6",
    ),
    (
        "price_share",
        INSERT,
        "INSERT INTO price_share SELECT work_order_id, revision, 9, programme_code, programme_version, tier, unit, fen, minutes, rate_fen_per_hour, account_id, NULL, NULL, sold_sha256 FROM price_share WHERE work_order_id = 'W1' AND position = 2",
        "price_split W1",
    ),
    (
        "redemption",
        CHANGE,
        "UPDATE redemption SET vendor_id = 'V2' WHERE work_order_id = 'W1'",
        "redemption W1",
    ),
    (
        "redemption",
        CHANGE,
        "UPDATE redemption SET at = '2026-11-22 00:00:00' WHERE work_order_id = 'W1'",
        "redemption W1",
    ),
    ("redemption", DELETE, "DELETE FROM redemption WHERE work_order_id = 'W1'", "W1"),
    (
        "redemption",
        INSERT,
        "INSERT INTO redemption SELECT 'W6', 'X-W6', vendor_id, period, price_fen, minutes_delivered, at FROM redemption WHERE work_order_id = 'W1'",
        "redemption W6",
    ),
    (
        "redemption",
        SWAP,
        "UPDATE redemption SET visit_id = '' WHERE work_order_id = 'W1'; UPDATE redemption SET visit_id = 'X-W1' WHERE work_order_id = 'W2'; UPDATE redemption SET visit_id = 'X-W2' WHERE work_order_id = 'W1'",
        "W1",
    ),
    ("grant_run", CHANGE, "UPDATE grant_run SET fen = fen - 1", "grant_run"),
    ("grant_run", CHANGE, "UPDATE grant_run SET released_by = 'three'", "grant_run"),
    ("grant_run", CHANGE, "UPDATE grant_run SET previewed_at = '2026-11-01 00:00:00'", "grant_run"),
    ("grant_run", CHANGE, "UPDATE grant_run SET released_at = '2026-11-01 00:00:00'", "grant_run"),
    ("grant_run", DELETE, "DELETE FROM grant_run WHERE period = '2026-12'", "grant_run"),
    (
        "grant_run",
        INSERT,
        "INSERT INTO grant_run SELECT 'GR-x', period, district_code, state, previewed_by, previewed_at, released_by, released_at, preview_sha256, new, minutes, fen FROM grant_run WHERE period = '2026-12'",
        "grant_run GR-x",
    ),
    (
        "grant_run",
        SWAP,
        "UPDATE grant_run SET previewed_by = released_by, released_by = previewed_by",
        "grant_run",
    ),
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
    (
        "programme_change",
        CHANGE,
        "UPDATE programme_change SET valid_from = '2027-02-01' WHERE state = 'released'",
        "programme_change",
    ),
    (
        "programme_change",
        CHANGE,
        "UPDATE programme_change SET state = 'released', released_by = 'u-two', released_at = '2026-12-02 00:00:00' WHERE state = 'proposed'",
        "programme_change",
    ),
    (
        "programme_change",
        CHANGE,
        "UPDATE programme_change SET released_by = 'x' WHERE state = 'released'",
        "programme_change",
    ),
    (
        "programme_change",
        DELETE,
        "DELETE FROM programme_change WHERE state = 'released'",
        "programme_change",
    ),
    (
        "programme_change",
        INSERT,
        "INSERT INTO programme_change SELECT 'PC-x', programme_code, valid_from, content, content_sha256, base_sha256, reason, period, trial, state, proposed_by, proposed_at, released_by, released_at FROM programme_change WHERE state = 'released'",
        "programme_change PC-x",
    ),
    (
        "programme_change",
        SWAP,
        "UPDATE programme_change SET base_sha256 = content_sha256, content_sha256 = base_sha256",
        "programme_change",
    ),
    (
        "grant_application",
        CHANGE,
        "UPDATE grant_application SET state = 'approved' WHERE state = 'refused'",
        "grant_application",
    ),
    (
        "grant_application",
        CHANGE,
        "UPDATE grant_application SET note = 'x' WHERE state = 'refused'",
        "grant_application",
    ),
    (
        "grant_application",
        DELETE,
        "DELETE FROM grant_application WHERE state = 'refused'",
        "grant_application",
    ),
    (
        "grant_application",
        INSERT,
        "INSERT INTO grant_application SELECT 'GA-x', programme_code, elder_id, home_sha256, note, state, applied_by, applied_at, decided_by, decided_at, reason FROM grant_application WHERE state = 'refused'",
        "grant_application GA-x",
    ),
    (
        "grant_application",
        SWAP,
        "UPDATE grant_application SET elder_id = CASE elder_id WHEN 'E1' THEN 'E2' ELSE 'E1' END WHERE state = 'approved'",
        "grant_application",
    ),
    ("home_grant", CHANGE, "UPDATE home_grant SET last_on = '2021-01-01'", "home_grant ADAPT"),
    (
        "home_grant",
        DELETE,
        "DELETE FROM home_grant WHERE last_on = (SELECT MAX(last_on) FROM home_grant)",
        "home_grant ADAPT",
    ),
    (
        "home_grant",
        INSERT,
        "INSERT INTO home_grant SELECT 'BED', home_sha256, last_on FROM home_grant",
        "home_grant BED",
    ),
    (
        "home_grant",
        SWAP,
        "UPDATE home_grant SET last_on = CASE WHEN last_on = (SELECT MAX(last_on) FROM home_grant) THEN (SELECT MIN(last_on) FROM home_grant) ELSE (SELECT MAX(last_on) FROM home_grant) END",
        "home_grant ADAPT",
    ),
    (
        "elder_fact",
        CHANGE,
        "UPDATE elder_fact SET value = 'N' WHERE elder_id = 'E1' AND value = 'Y'",
        "of E1: it is not what was recorded",
    ),
    (
        "elder_fact",
        CHANGE,
        "UPDATE elder_fact SET from_on = '2026-01-01' WHERE elder_id = 'E1' AND value = 'Y'",
        "of E1: it is not what was recorded",
    ),
    (
        "elder_fact",
        DELETE,
        "DELETE FROM elder_fact WHERE elder_id = 'E2'",
        "it was recorded and is missing",
    ),
    (
        "elder_fact",
        INSERT,
        "INSERT INTO elder_fact SELECT 99, elder_id, 'income_class', 'tekun', from_on, source, recorded_at, recorded_by FROM elder_fact WHERE elder_id = 'E1' AND value = 'Y'",
        "elder_fact 99 of E1: nobody recorded it",
    ),
    (
        "elder_fact",
        SWAP,
        "UPDATE elder_fact SET elder_id = CASE elder_id WHEN 'E1' THEN 'E2' ELSE 'E1' END",
        "of E2: it is not what was recorded",
    ),
    (
        "assessment",
        CHANGE,
        "UPDATE assessment SET level = 4 WHERE elder_id = 'E1'",
        "of E1: it is not what was recorded",
    ),
    (
        "assessment",
        CHANGE,
        "UPDATE assessment SET valid_until = '2028-02-28' WHERE elder_id = 'E1'",
        "of E1: it is not what was recorded",
    ),
    (
        "assessment",
        DELETE,
        "DELETE FROM assessment WHERE elder_id = 'E1'",
        "it was recorded and is missing",
    ),
    (
        "assessment",
        INSERT,
        "INSERT INTO assessment SELECT 'A-x', elder_id, '2026-10-01', '2027-09-30', 10, 4, assessor FROM assessment WHERE elder_id = 'E1'",
        "assessment A-x of E1: nobody recorded it",
    ),
    (
        "assessment",
        SWAP,
        "UPDATE assessment SET assessed_on = valid_until, valid_until = assessed_on",
        "of E2: it is not what was recorded",
    ),
    (
        "elder",
        CHANGE,
        "UPDATE elder SET income_class = 'tekun' WHERE id = 'E1'",
        "elder E1: its income_class is not what was recorded",
    ),
    (
        "elder",
        CHANGE,
        "UPDATE elder SET born_on = '1920-01-01' WHERE id = 'E2'",
        "elder E2: its born_on is not what was recorded",
    ),
    (
        "elder",
        CHANGE,
        "UPDATE elder SET lives_alone = (1 = 0) WHERE id = 'E2'",
        "elder E2: its lives_alone is not what was recorded",
    ),
    (
        "elder",
        DELETE,
        "DELETE FROM elder WHERE id = 'E2'",
        "elder E2: it was recorded and is missing",
    ),
    (
        "elder",
        INSERT,
        "INSERT INTO elder (id, name, initials, gender, born_on, id_number_sealed, id_number_index, address, district_code, lat, lng, location_level, hukou_local, income_class, lives_alone, special, door_notes, status, row_sha256, updated_at) SELECT 'E9', name, initials, gender, born_on, id_number_sealed, 'i9', address, district_code, lat, lng, location_level, hukou_local, income_class, lives_alone, special, door_notes, status, row_sha256, updated_at FROM elder WHERE id = 'E1'",
        "elder E9: nobody recorded it",
    ),
    (
        "elder",
        SWAP,
        "UPDATE elder SET special = income_class, income_class = status, status = income_class WHERE id = 'E1'",
        "elder E1: its special is not what was recorded",
    ),
]
"""Table, what is done to it, plain SQL, and what a finding must name."""


def test_a_row_changed_by_hand_is_found_and_named(session, books):
    _open_the_doors(session)
    unseen = []
    for table, _, statements, named in TAMPERINGS:
        _tamper(session, table, statements)
        found = _found(session)
        session.rollback()
        if not any(named in f for f in found):
            unseen.append((statements, named, found))
    assert unseen == []


def test_every_table_of_money_is_tampered_with_in_each_way():
    done = {(table, way) for table, way, *_ in TAMPERINGS}
    tables = [
        *ledger_verify.FROZEN,
        *settlement_verify.FROZEN,
        "grant_run",
        *witness.TABLES,
        "elder",
    ]
    assert done == {(t, way) for t in tables for way in (CHANGE, DELETE, INSERT, SWAP)}


def test_a_column_changed_by_hand_is_found_after_another_was_written_by_a_list(session, books):
    _open_the_doors(session)
    _tamper(session, "elder", "UPDATE elder SET income_class = 'tekun' WHERE id = 'E1'")
    history.change(session, "E1", "hukou_local", False, **TODAY)
    session.flush()
    assert [str(f) for f in witness.verify(session.connection())] == [
        "elder E1: its income_class is not what was recorded"
    ]


UNSEALED = [
    "UPDATE ledger_transfer SET at = '2026-11-22 00:00:00' WHERE id = 'void/W8/1/1'",
    "UPDATE ledger_transfer SET code = 'death' WHERE id = 'void/W8/1/1'",
    "UPDATE ledger_transfer SET period = '2026-12' WHERE id = 'payment/P1'",
    "UPDATE ledger_transfer SET code = 'fee' WHERE id = 'payment/P1'",
    "UPDATE ledger_transfer SET at = '2027-01-01 00:00:00' WHERE id = 'grant/LV:E1:2027-01'",
    "UPDATE ledger_transfer SET period = '2026-12' WHERE id = 'grant/LV:E1:2027-01'",
]


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
    _open_the_doors(session)
    unseen = []
    for statement in UNSEALED:
        _tamper(session, "ledger_transfer", statement)
        found = _found(session)
        session.rollback()
        if not any(f.startswith("ledger_transfer") for f in found):
            unseen.append((statement, found))
    assert unseen == []


PAYOUTS = [
    "UPDATE ledger_transfer SET amount = amount + 1 WHERE id = 'payout/{st}/LV'",
    "UPDATE ledger_transfer SET debit_account = 'due:V1:GP-A2' WHERE id = 'payout/{st}/LV'",
    "DELETE FROM ledger_transfer WHERE id = 'payout/{st}/LV'",
    "DELETE FROM ledger_transfer WHERE code = 'payout'",
    "DELETE FROM ledger_transfer WHERE id = 'holdback/2026Q4/paid/{st}/LV'",
]


def test_a_payout_of_another_sum_is_found_whoever_made_its_hashes_again(session, books):
    """The closings say what may leave the bank, whatever the ledger says of itself."""
    _open_the_doors(session)
    unseen = []
    for statement in PAYOUTS:
        _tamper(session, "ledger_transfer", statement.format(st=f"ST-2026-11-{DISTRICT}-V1"))
        found = list(settlement_verify.verify(session.connection()))
        session.rollback()
        if not found:
            unseen.append(statement)
    assert unseen == []


def test_a_missing_guard_is_found(session, books):
    for table in [*ledger_verify.FROZEN, *settlement_verify.FROZEN, *witness.FROZEN]:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text(f"DROP TRIGGER {table}_no_update"))
        else:
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_update"))
        assert _found(session) == [f"{table} *: the trigger that refuses update is missing"]
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
        assert any(f.startswith("redemption *: the trigger that refuses") for f in _found(session))
        session.rollback()


CUT_OFF = [
    ("ledger_seal", "DELETE FROM ledger_seal WHERE id = 2"),
    ("audit_event", "DELETE FROM audit_event WHERE action = 'seal_ledger' AND subject_id = '2'"),
]


def test_whoever_cuts_the_end_off_the_chain_and_its_witness_meets_the_one_outside(session, books):
    kept = seals_of(session)
    assert list(kept) == [1, 2]
    assert verify_ledger(session, kept=kept).is_proven
    _open_the_doors(session)
    for table, statement in CUT_OFF:
        _tamper(session, table, statement)
    assert not any(f.startswith("ledger_seal") for f in _found(session)), "it agrees with itself"
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
