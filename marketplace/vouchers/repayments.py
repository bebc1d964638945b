"""What a vendor owes the bank is booked when it comes in, or given up at the treasury's cost.

Each movement names the statement and the payer whose negative part it settles (``own`` for families'
money), so that what is left of every part stays known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.vouchers.ledger import Account, Entry, open_accounts, post
from marketplace.vouchers.models import AccountKind, LedgerAccount, LedgerTransfer
from marketplace.vouchers.payouts import bank_account
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.splits import due_vendor

REPAYMENT, WRITE_OFF = "repayment", "write_off"
"""Codes of the movements, and how their ids begin."""

OF_FAMILIES = "own"
"""Stands for the statement where families' money is settled, which is of no one statement."""

Part = tuple[str, str, int]
"""Statement (or ``own``), payer, fen."""


def parts_to_settle(fen: int, carried: Mapping[str, Mapping[str, int]], own_fen: int) -> list[Part]:
    """Return which negative parts a sum settles, the oldest statement first, families' money last. Pure.

    ``carried``: statement -> payer -> fen, in the order of their months. ``own_fen`` below zero is owed.
    """
    owed = [
        (statement_id, code, -part)
        for statement_id, of in carried.items()
        for code, part in sorted(of.items())
        if part < 0
    ]
    owed += [(OF_FAMILIES, OWN, -own_fen)] if own_fen < 0 else []
    taken: list[Part] = []
    for statement_id, code, part in owed:
        if now := min(part, fen):
            taken.append((statement_id, code, now))
            fen -= now
    if fen:
        raise ValueError("more than is owed")
    return taken


def settle(
    session: Session,
    *,
    code: str,
    id: str,
    vendor_id: str,
    district_code: str,
    parts: Sequence[Part],
    period: str,
    at: datetime,
) -> None:
    """Move each part to what the vendor is due: from the bank (``repayment``) or the treasury."""
    source = bank_account(district_code)
    if code == WRITE_OFF:
        source = Account(
            f"treasury:{district_code}", AccountKind.TREASURY, "fen", district_code=district_code
        )
    accounts, entries = [source], []
    for statement_id, payer, fen in parts:
        due = due_vendor(vendor_id, payer)
        accounts.append(due)
        entries.append(
            Entry(
                id=f"{code}/{id}/{statement_id}/{payer}",
                kind="direct",
                code=code,
                unit="fen",
                debit=source.id,
                credit=due.id,
                amount=fen,
                period=period,
            )
        )
    open_accounts(session, accounts)
    post(session, entries, at=at)


def settled(session: Session, vendor_ids: Collection[str]) -> dict[tuple[str, str], dict[str, int]]:
    """Return (vendor, statement) -> payer -> fen that was repaid or given up so far.

    What is of families' money has the district in the statement's place: ``own/321204``.
    """
    t, a = LedgerTransfer, LedgerAccount
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in session.execute(
        select(t.id, t.debit_account, a.vendor_id, t.amount)
        .join(a, a.id == t.credit_account)
        .where(a.vendor_id.in_(vendor_ids), t.code.in_([REPAYMENT, WRITE_OFF]))
    ):
        vendor_id = str(row.vendor_id)
        _, _, statement_id, payer = row.id.split("/")
        if statement_id == OF_FAMILIES:
            statement_id = f"{OF_FAMILIES}/{row.debit_account.split(':')[1]}"
        of = found.setdefault((vendor_id, statement_id), {})
        of[payer] = of.get(payer, 0) + row.amount
    return found
