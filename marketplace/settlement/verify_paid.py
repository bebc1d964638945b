"""Proving what left the bank: every payout against its release, every holdback against its two steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select, text

from marketplace.kernel.audit import events_of
from marketplace.kernel.findings import LIMIT, Finding, both_ways
from marketplace.settlement import rules, verify_debts, withheld
from marketplace.settlement.models import (
    HoldbackStep,
    Statement,
    StatementSignature,
    WithheldLine,
)
from marketplace.settlement.service import holdback_id

_PAYOUTS = """
SELECT id, amount, debit_account, credit_account FROM ledger_transfer
WHERE code = 'payout' ORDER BY serial
"""

_OWN_MONEY = """
SELECT SUM(amount) FROM ledger_transfer
WHERE credit_account = :due AND unit = 'fen' AND (kind = 'post' OR code = 'fee')
"""

_HOLDBACKS = """
SELECT id, amount, debit_account, credit_account FROM ledger_transfer
WHERE code IN ('holdback_paid', 'holdback_kept') ORDER BY serial
"""

# A line is withheld where its visit is on the statement and was taken back.
_NOT_REVERSED = """
SELECT w.statement_id, w.number FROM withheld_line w
LEFT JOIN statement_line l ON l.statement_id = w.statement_id AND l.number = w.number
LEFT JOIN price_split s ON s.work_order_id = w.work_order_id
WHERE l.kind IS NULL OR l.kind <> 'visit' OR l.work_order_id <> w.work_order_id
   OR s.state IS NULL OR s.state <> 'reversed'
ORDER BY 1, 2 LIMIT :most
"""

Parts = dict[str, dict[str, int]]
"""Statement -> payer -> fen."""


def payouts(connection: Connection) -> Iterator[Finding]:
    """Hold what was paid out against the releases: each once, its sum, its vendor, its bank."""
    statements = {s.id: s for s in connection.execute(select(Statement.__table__))}
    signed = connection.scalars(
        select(StatementSignature.statement_id).where(StatementSignature.step == "released")
    )
    released = {i: statements[i] for i in sorted(statements.keys() & set(signed))}
    paid, passed_on, wrong = _paid(connection, released)
    yield from wrong
    back, wrong = verify_debts.settled(connection, statements)
    yield from wrong
    yield from _as_released(connection, released, paid, back)
    for due, fen in sorted(passed_on.items()):
        earned = int(connection.scalar(text(_OWN_MONEY), {"due": due}) or 0)
        if fen > earned:
            rule = "more own money was passed on than it earned"
            yield Finding("ledger_account", due, rule, f"{fen} fen of {earned}")


def _paid(
    connection: Connection, released: Mapping[str, Any]
) -> tuple[Parts, dict[str, int], list[Finding]]:
    """Return what was paid of each statement, what of families' money was passed on by the account
    that it was due on, and the payouts that are nobody's."""
    paid: Parts = {}
    passed_on: dict[str, int] = {}
    wrong: list[Finding] = []
    for row in connection.execute(text(_PAYOUTS)):
        _, statement_id, code = _parts(row.id, 3)
        s = released.get(statement_id)
        if s is None:
            rule = "it pays a statement that nobody released"
            wrong.append(Finding("ledger_transfer", row.id, rule))
            continue
        due, bank = f"due:{s.vendor_id}:{code}", f"bank:{s.district_code}"
        if {row.debit_account, row.credit_account} != {due, bank}:
            rule = "it pays somebody else than its statement says"
            wrong.append(Finding("ledger_transfer", row.id, rule))
        fen = row.amount if row.debit_account == due else -row.amount
        if code == rules.OWN:
            passed_on[due] = passed_on.get(due, 0) + fen
        else:
            paid.setdefault(statement_id, {})[code] = fen
    return paid, passed_on, wrong


def _parts(transfer_id: str, count: int) -> list[str]:
    """Return the parts of a transfer's id; empty ones, which name nothing, of an id of another form."""
    parts = transfer_id.split("/")
    return parts if len(parts) == count else [""] * count


def _as_released(
    connection: Connection, released: Mapping[str, Any], paid: Parts, back: Parts
) -> Iterator[Finding]:
    """Hold what was paid and what came back of each statement against what is due by its release.

    What is not paid yet waits because the vendor's statements together are below zero.
    """
    corrected = withheld.corrections(connection)
    kept = {
        of: e.facts["holdback_fen"]
        for of, events in events_of(connection, "sign_statement").items()
        for e in events
        if "holdback_fen" in e.facts
    }
    unpaid: dict[tuple[str, str], int] = {}
    for s in released.values():
        parts = withheld.bureau_parts(s.by_programme, corrected.get(s.id))
        for code, fen in back.get(s.id, {}).items():
            if fen > max(-parts.get(code, 0), 0):
                yield Finding("statement", s.id, "more of it was repaid than was owed", code)
            parts[code] = parts.get(code, 0) + fen
        holdback = kept.get(s.id, s.holdback_fen)
        if s.id not in paid:
            whose = (s.vendor_id, s.district_code)
            unpaid[whose] = unpaid.get(whose, 0) + sum(parts.values()) - holdback
        elif not _is_paid_as_said(parts, holdback, paid[s.id]):
            detail = f"{paid[s.id]} of {parts}, {holdback} held back"
            yield Finding("statement", s.id, "another sum was paid", detail)
    for (vendor_id, district), fen in sorted(unpaid.items()):
        if fen > 0:
            rule = "what was released is not paid"
            yield Finding("statement", f"{vendor_id}/{district}", rule, f"{fen} fen")


def _is_paid_as_said(parts: dict[str, int], holdback_fen: int, paid: dict[str, int]) -> bool:
    """Say whether each payer's part was paid, all of it or all less the statement's holdback."""
    kept = {c: parts.get(c, 0) - paid.get(c, 0) for c in parts.keys() | paid.keys()}
    at_all = all(0 <= kept[c] < max(parts.get(c, 0), 1) for c in kept)
    return at_all and sum(kept.values()) in (0, holdback_fen)


def withheld_lines(connection: Connection) -> Iterator[Finding]:
    """Hold the lines that were not paid against what each release recorded, both ways."""
    recorded = {
        (of, number, e.at)
        for of, events in events_of(connection, "sign_statement").items()
        for e in events
        for number in e.facts.get("withheld", ())
    }
    written = {
        (r.statement_id, r.number, r.at) for r in connection.execute(select(WithheldLine.__table__))
    }
    yield from both_ways("withheld_line", written=written, recorded=recorded, called_by=2)
    for row in connection.execute(text(_NOT_REVERSED), {"most": LIMIT}):
        yield Finding("withheld_line", f"{row[0]}/{row[1]}", "its visit was not taken back")


def holdbacks(connection: Connection) -> Iterator[Finding]:
    """Hold the steps of holdbacks against what was recorded and what was paid for them."""
    recorded = {
        (of, number, *(e.facts[k] for k in ("score", "percent", "paid_fen", "kept_fen")),
         e.at, e.actor_id, e.reason)
        for number, action in ((1, "score_holdback"), (2, "release_holdback"))
        for of, events in events_of(connection, action).items()
        for e in events
    }  # fmt: skip
    written: set[tuple[Any, ...]] = set()
    released: dict[tuple[str, ...], dict[str, int]] = {}
    for r in connection.execute(select(HoldbackStep.__table__)):
        subject = holdback_id(r.quarter, r.district_code, r.vendor_id)
        said = (subject, r.number, r.score, r.percent, r.paid_fen, r.kept_fen, r.at, r.by)
        written.add((*said, r.reason or None))
        if (r.previous,) != (None, 1)[r.number - 1 : r.number]:
            yield Finding("holdback_step", f"{subject}/{r.number}", "it is out of order")
        if r.number == 2:
            whose = (r.quarter, r.vendor_id, r.district_code)
            released[whose] = {"paid": r.paid_fen, "kept": r.kept_fen}
    yield from both_ways("holdback_step", written=written, recorded=recorded, called_by=2)
    yield from _holdbacks_paid(connection, released)


def _holdbacks_paid(
    connection: Connection, released: Mapping[tuple[str, ...], Mapping[str, int]]
) -> Iterator[Finding]:
    """Hold what holdbacks moved, to the vendor and back to the budgets, against what was released.

    ``released``: quarter, vendor, district -> fen ``paid`` and ``kept``.
    """
    statements = {
        s.id: s
        for s in connection.execute(
            select(Statement.id, Statement.vendor_id, Statement.district_code)
        )
    }
    moved = {whose: {"paid": 0, "kept": 0} for whose in released}
    for row in connection.execute(text(_HOLDBACKS)):
        _, quarter, verb, statement_id, code = _parts(row.id, 5)
        s = statements.get(statement_id)
        whose = (quarter, s.vendor_id, s.district_code) if s else ()
        if s is None or verb not in moved.get(whose, ()):
            rule = "it pays a holdback that nobody released"
            yield Finding("ledger_transfer", row.id, rule)
            continue
        to = f"bank:{s.district_code}" if verb == "paid" else f"budget:{code}:{s.district_code}:"
        right = row.credit_account == to or (verb == "kept" and row.credit_account.startswith(to))
        if row.debit_account != f"due:{s.vendor_id}:{code}" or not right:
            rule = "it pays somebody else than its holdback says"
            yield Finding("ledger_transfer", row.id, rule)
        moved[whose][verb] += row.amount
    for named, said in sorted(released.items()):
        if moved[named] != said:
            rule, detail = "another sum was paid", f"{moved[named]} of {said}"
            yield Finding("holdback_step", "/".join(named), rule, detail)
