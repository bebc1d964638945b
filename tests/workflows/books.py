"""Books of two months with every row of money in them, and the ways to tamper with them by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from marketplace.app import db
from marketplace.elders import history
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.vouchers import service
from marketplace.workflows.grants import grant_period
from marketplace.workflows.holdback import release_holdback, score_holdback
from marketplace.workflows.ledger import proof, seal_ledger
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
from tests.databases import filled
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

CHANGE, DELETE, INSERT, SWAP = "change", "delete", "insert", "swap"

LEDGER = ("ledger_account", "ledger_transfer", "ledger_seal")
"""The tables of entries and counters; what else is frozen says what they are for."""


@filled
def sealed_books(app):
    """Two months granted, visits captured, reversed, released, a month closed and paid, all sealed."""
    session, ports = db.session, app.extensions["ports"]
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
    ports.clock.at = DECEMBER_2
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
    ports.clock.at = JANUARY_5
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


@pytest.fixture
def books(sealed_books, session, clock):
    """The session on sealed books, in January."""
    clock.at = JANUARY_5
    return session


def open_the_doors(session):
    """Do what an intruder with the owner's rights does first: no foreign keys, no checks."""
    if session.get_bind().dialect.name == "sqlite":
        # A pragma counts only outside a transaction, and these connections begin one by themselves.
        raw = session.connection().connection.dbapi_connection
        raw.execute("COMMIT")
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        raw.execute("BEGIN")


def tamper(session, table, statements):
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


def found_in(session):
    """Return what the whole proof finds in the session's own transaction."""
    return [str(f) for f in proof(session.connection()).findings]


def unseen(session, tamperings):
    """Do each tampering alone; return those of which no finding names what it must, and what was found.

    A tampering: its table, its way, plain SQL, and what a finding must name.
    """
    open_the_doors(session)
    missed = []
    for table, _, statements, named in tamperings:
        tamper(session, table, statements)
        found = found_in(session)
        session.rollback()
        if not any(named in f for f in found):
            missed.append((statements, named, found))
    return missed


def ways_done(tamperings):
    """Return which tables are tampered with, and how."""
    return {(table, way) for table, way, *_ in tamperings}


def every_way(tables: Iterable[str]):
    """Return each table with each way to tamper with it."""
    return {(t, way) for t in tables for way in (CHANGE, DELETE, INSERT, SWAP)}
