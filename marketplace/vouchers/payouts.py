"""Money that really arrives and leaves: payouts to vendors, what elders pay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import BadInput
from marketplace.vouchers.grants import budget_account
from marketplace.vouchers.ledger import Account, Entry, lock, open_accounts, post
from marketplace.vouchers.models import AccountKind, LedgerAccount, LedgerTransfer
from marketplace.vouchers.own_debts import CASH_BACK, Reckoned, reckoned
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.splits import due_vendor, owed_account


@dataclass(frozen=True, slots=True)
class HoldbackPart:
    """What one statement held back of one payer's part, and what of it is paid now."""

    statement_id: str
    period: str
    programme_code: str
    held_fen: int
    paid_fen: int


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
    statements: Mapping[str, Mapping[str, int]],
    *,
    vendor_id: str,
    district_code: str,
    period: str,
    at: datetime,
) -> int:
    """Pay released statements (fen by payer), each once; return the fen paid. A negative part reduces
    the payment.

    All in one posting, whose accounts are taken in one order: apart, a capture that has one of them
    and the payment that has another would wait for each other.
    """
    bank = bank_account(district_code)
    entries, accounts = [], [bank]
    for statement_id, by_programme in statements.items():
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
    return sum(fen for of in statements.values() for fen in of.values())


@dataclass(frozen=True, slots=True)
class PaidOut:
    """What one statement's payout moved of each payer (fen, negative where it came back), and when."""

    by_programme: Mapping[str, int]
    at: datetime


def paid_out(session: Session, statements: Mapping[str, Iterable[str]]) -> dict[str, PaidOut]:
    """Return what was paid of statements, given with their payers; who was not paid is left out."""
    named = {f"payout/{s}/{code}": (s, code) for s, codes in statements.items() for code in codes}
    t, ids = LedgerTransfer, list(named)
    parts: dict[str, dict[str, int]] = {}
    at: dict[str, datetime] = {}
    for start in range(0, len(ids), 2000):
        for row in session.execute(
            select(t.id, t.debit_account, t.amount, t.at).where(
                t.id.in_(ids[start : start + 2000]), t.code == "payout"
            )
        ):
            statement_id, code = named[row.id]
            sign = 1 if row.debit_account.startswith("due:") else -1
            parts.setdefault(statement_id, {})[code] = sign * row.amount
            at[statement_id] = row.at
    return {s: PaidOut(of, at[s]) for s, of in parts.items()}


def settle_holdback(
    session: Session,
    *,
    quarter: str,
    vendor_id: str,
    district_code: str,
    parts: Sequence[HoldbackPart],
    period: str,
    at: datetime,
) -> None:
    """Pay what a quarter's holdback earned and return the rest to the budgets, once."""
    bank = bank_account(district_code)
    entries, accounts = [], [bank]
    for part in parts:
        due = due_vendor(vendor_id, part.programme_code)
        budget = Account(
            id=budget_account(part.programme_code, district_code, int(part.period[:4])),
            kind=AccountKind.BUDGET,
            unit="fen",
            programme_code=part.programme_code,
            district_code=district_code,
            period=part.period[:4],
        )
        accounts += [due, budget]
        for verb, credit, fen in (
            ("paid", bank.id, part.paid_fen),
            ("kept", budget.id, part.held_fen - part.paid_fen),
        ):
            if fen:
                entries.append(
                    Entry(
                        id=f"holdback/{quarter}/{verb}/{part.statement_id}/{part.programme_code}",
                        kind="direct",
                        code=f"holdback_{verb}",
                        unit="fen",
                        debit=due.id,
                        credit=credit,
                        amount=fen,
                        period=period,
                    )
                )
    if entries:
        open_accounts(session, accounts)
        # What the vendor owes may be kept of it right after: another posting, of accounts of its own.
        of = LedgerAccount
        dues = select(of.id).where(of.vendor_id == vendor_id, of.kind == AccountKind.DUE.value)
        lock(session, [*(a.id for a in accounts), *session.scalars(dues)])
        post(session, entries, at=at)


OWN_REFUND = "own_refund"
DESK = "refund/desk/"
"""How the ids of what was given back over the counter begin; the others are the payment provider's."""
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
    work_order_id: str | None = None,
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
        work_order_id=work_order_id,
    )
    post(session, [entry], at=at)
    return True


def give_back(
    session: Session,
    *,
    entry_id: str,
    elder_id: str,
    vendor_id: str | None,
    fen: int,
    period: str,
    at: datetime,
    work_order_id: str | None = None,
    district_code: str = "",
) -> int:
    """Give back own money of which the visit was taken back; return what the elder still has to the good.

    In cash by the vendor who took it, else over the counter out of the bank of ``district_code``. Raises
    ``BadInput`` for more than the elder has to the good, or than this vendor took.
    """
    to = due_vendor(vendor_id, OWN) if vendor_id else bank_account(district_code)
    open_accounts(session, [to])
    owed, stands = lock_owed(session, elder_id, to.id)
    most = stands.credit if vendor_id is None else stands.most_to_hand_back(vendor_id)
    if owed is None or not 0 < fen <= most:
        raise BadInput(field="fen", value=fen, expected=f"1 to {max(most, 0)}")
    entry = Entry(
        id=entry_id,
        kind="direct",
        code=CASH_BACK if vendor_id else OWN_REFUND,
        unit="fen",
        debit=owed.id,
        credit=to.id,
        amount=fen,
        period=period,
        work_order_id=work_order_id,
    )
    post(session, [entry], at=at)
    return stands.credit - fen


def lock_owed(
    session: Session, elder_id: str, *others: str
) -> tuple[LedgerAccount | None, Reckoned]:
    """Return an elder's own-money account and how the elder stands: who takes or gives money of one
    elder meets here.

    ``others``: the accounts that the money comes from or goes to, which postings take before it.
    """
    account = owed_account(elder_id)
    lock(session, [account, *others])
    owed = session.get(LedgerAccount, account, populate_existing=True)
    return owed, reckoned(session, [account])[account]


@dataclass(frozen=True, slots=True)
class Refund:
    """A part of a family's payment that goes back the way it came."""

    entry_id: str
    bill_id: str
    fen: int


def plan_refunds(session: Session, *, elder_id: str, period: str, at: datetime) -> list[Refund]:
    """Write the refunds of what an elder paid beyond what is owed, newest bill first."""
    t = LedgerTransfer
    paid_in = (t.credit_account == owed_account(elder_id), t.code == "family_account")
    banks = session.scalars(select(t.debit_account).where(*paid_in).distinct())
    owed, stands = lock_owed(session, elder_id, *banks)
    if owed is None:
        return []
    left = stands.credit
    bills = session.execute(
        select(t.id, t.amount, t.debit_account).where(*paid_in).order_by(t.serial.desc())
    ).all()
    refunds, entries = [], []
    for entry_id, paid, bank in bills:
        bill_id = entry_id.removeprefix("payment/")
        before = session.scalars(
            select(t.amount).where(t.debit_account == owed.id, t.id.like(f"refund/{bill_id}/%"))
        ).all()
        fen = min(left, paid - sum(before))
        if fen <= 0:
            continue
        left -= fen
        refund = Refund(f"refund/{bill_id}/{len(before) + 1}", bill_id, fen)
        refunds.append(refund)
        entries.append(
            Entry(
                id=refund.entry_id,
                kind="direct",
                code=OWN_REFUND,
                unit="fen",
                debit=owed.id,
                credit=bank,
                amount=fen,
                period=period,
            )
        )
    post(session, entries, at=at)
    return refunds
