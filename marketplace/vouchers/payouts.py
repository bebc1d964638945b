"""Money that really arrives and leaves: payouts to vendors, what elders pay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import BadInput
from marketplace.vouchers.ledger import Account, Entry, open_accounts, post
from marketplace.vouchers.models import AccountKind, LedgerTransfer
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.splits import due_vendor, owed_account


def bank_account(district_code: str) -> Account:
    """Return the account of a district's bank: what was paid out is credited, paid in debited."""
    return Account(
        id=f"bank:{district_code}",
        kind=AccountKind.BANK,
        unit="fen",
        district_code=district_code,
    )


def pay_vendor(
    session: Session,
    *,
    statement_id: str,
    vendor_id: str,
    district_code: str,
    period: str,
    by_programme: Mapping[str, int],
    at: datetime,
) -> int:
    """Pay a released statement, once; return the fen paid. A negative part reduces the payment."""
    bank = bank_account(district_code)
    entries = []
    accounts = [bank]
    for code, fen in sorted(by_programme.items()):
        if fen == 0:
            continue
        due = due_vendor(vendor_id, code)
        accounts.append(due)
        entries.append(
            Entry(
                id=f"payout/{statement_id}/{code}",
                kind="direct",
                code="payout",
                unit="fen",
                debit=due.id if fen > 0 else bank.id,
                credit=bank.id if fen > 0 else due.id,
                amount=abs(fen),
                period=period,
            )
        )
    if entries:
        open_accounts(session, accounts)
        post(session, entries, at=at)
    return sum(by_programme.values())


METHODS = ("cash_at_door", "family_account")


def record_payment(
    session: Session,
    *,
    payment_id: str,
    elder_id: str,
    district_code: str,
    vendor_id: str | None,
    fen: int,
    method: str,
    period: str,
    at: datetime,
) -> bool:
    """Record own money that an elder paid; return ``False`` where this payment is known.

    Cash at the door went to the vendor: what the elder owes and what the vendor is due both fall.
    A family account paid the district's bank, which passes it on with the statement.
    """
    if method not in METHODS:
        raise BadInput(field="method", value=method, expected=list(METHODS))
    if fen <= 0:
        raise BadInput(field="fen", value=fen, expected="more than 0")
    if (method == "cash_at_door") != (vendor_id is not None):
        raise BadInput(field="vendor_id", value=vendor_id, expected="with cash_at_door only")
    entry_id = f"payment/{payment_id}"
    if session.scalar(select(LedgerTransfer.serial).where(LedgerTransfer.id == entry_id)):
        return False
    owed = Account(
        id=owed_account(elder_id),
        kind=AccountKind.OWED,
        unit="fen",
        programme_code=OWN,
        elder_id=elder_id,
        district_code=district_code,
    )
    source = due_vendor(vendor_id, OWN) if vendor_id else bank_account(district_code)
    open_accounts(session, [owed, source])
    entry = Entry(
        id=entry_id,
        kind="direct",
        code=method,
        unit="fen",
        debit=source.id,
        credit=owed.id,
        amount=fen,
        period=period,
    )
    post(session, [entry], at=at)
    return True
