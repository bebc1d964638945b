"""Whose charges an elder's own money has settled, the oldest first: what a district's bank passes on.

A family account pays the bank for everything that the elder owes, whoever served. Cash at the door is
the vendor's at once; when its visit is taken back the elder has it to the good with the bank, which takes
it from the vendor, until the vendor hands it back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select
from sqlalchemy.orm import Session

from marketplace.vouchers.models import LedgerAccount, LedgerTransfer, PriceSplit
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.splits import due_account

CASH_BACK = "cash_back"
"""Cash that a vendor handed back at the door."""


@dataclass(frozen=True, slots=True)
class Move:
    """One movement of an elder's own money. ``kind``: ``charge`` and ``back`` of a vendor's service,
    ``cash`` to a vendor and ``handed`` back by it, ``paid`` to the bank, ``refund`` from it. ``of``: the
    charge taken back. ``district_code``: where the service was, of charges and of what is handed back."""

    id: str
    kind: str
    fen: int
    vendor_id: str = ""
    of: str = ""
    district_code: str = ""


@dataclass(slots=True)
class Reckoned:
    """By vendor: what is still open. ``settled``: by vendor and district of the services, what the bank
    holds for it or has passed on to it (less than nothing: what the vendor owes the bank). ``back``: cash
    of charges taken back that the vendor has not handed back. ``credit``: what the elder has to the good.
    ``wrong``: movements that gave back more, or a charge that is not there.
    """

    open: dict[str, int] = field(default_factory=dict)
    settled: dict[tuple[str, str], int] = field(default_factory=dict)
    back: dict[str, int] = field(default_factory=dict)
    credit: int = 0
    wrong: list[str] = field(default_factory=list)

    def most_to_hand_back(self, vendor_id: str) -> int:
        """Return how much cash a vendor may hand back: no more than the elder still has to the good."""
        return max(min(self.credit, self.back.get(vendor_id, 0)), 0)


@dataclass(slots=True)
class _Charge:
    vendor_id: str
    district_code: str
    open: int
    by_bank: int = 0
    by_cash: int = 0


def reckon(moves: Iterable[Move]) -> Reckoned:
    """Return how an elder stands with each vendor after moves in the order they were made. Pure.

    What the bank holds settles the oldest open charge, now or as soon as there is one. Cash settles its
    own vendor's charges only, those to come too. A charge that is taken back frees what settled it, for
    any charge: from then on the cash is the vendor's debt to the bank.
    """
    charges: dict[str, _Charge] = {}
    settled: dict[tuple[str, str], int] = {}
    cash: dict[str, int] = {}
    back: dict[str, int] = {}
    held = 0
    wrong: list[str] = []
    for move in moves:
        vendor_id = move.vendor_id
        match move.kind:
            case "charge":
                charges[move.id] = _Charge(vendor_id, move.district_code, move.fen)
            case "back":
                charge = charges.pop(move.of, None)
                if charge is None:
                    wrong.append(move.id)
                    continue
                freed, vendor_id = charge.by_bank + charge.by_cash, charge.vendor_id
                held += freed
                _add(settled, (vendor_id, charge.district_code), -freed)
                back[vendor_id] = back.get(vendor_id, 0) + charge.by_cash
            case "cash":
                cash[vendor_id] = cash.get(vendor_id, 0) + move.fen
            case "handed":
                held -= move.fen
                _add(settled, (vendor_id, move.district_code), move.fen)
                back[vendor_id] = back.get(vendor_id, 0) - move.fen
            case "paid":
                held += move.fen
            case "refund":
                held -= move.fen
            case _:
                raise ValueError(move.kind)
        if move.kind in ("handed", "refund") and (held < 0 or back.get(vendor_id, 0) < 0):
            wrong.append(move.id)
        held -= _settle(charges.values(), cash, settled, held)
    stands = Reckoned(
        settled={of: fen for of, fen in settled.items() if fen},
        back={v: fen for v, fen in back.items() if fen},
        credit=held,
        wrong=wrong,
    )
    for charge in charges.values():
        if charge.open:
            stands.open[charge.vendor_id] = stands.open.get(charge.vendor_id, 0) + charge.open
    return stands


def _add(sums: dict[tuple[str, str], int], of: tuple[str, str], fen: int) -> None:
    sums[of] = sums.get(of, 0) + fen


def _settle(
    charges: Iterable[_Charge],
    cash: dict[str, int],
    settled: dict[tuple[str, str], int],
    held: int,
) -> int:
    """Settle open charges, the oldest first, by cash and by what the bank holds; return what it gave."""
    given = 0
    for charge in charges:
        vendor_id = charge.vendor_id
        fen = min(charge.open, cash.get(vendor_id, 0))
        charge.open, charge.by_cash = charge.open - fen, charge.by_cash + fen
        cash[vendor_id] = cash.get(vendor_id, 0) - fen
        fen = min(charge.open, max(held - given, 0))
        charge.open, charge.by_bank = charge.open - fen, charge.by_bank + fen
        given += fen
        _add(settled, (vendor_id, charge.district_code), fen)
    return given


def reckoned(session: Session | Connection, owed_accounts: Sequence[str]) -> dict[str, Reckoned]:
    """Return how elders stand, by their own-money accounts."""
    found: dict[str, Reckoned] = {}
    for start in range(0, len(owed_accounts), 1000):
        found |= _reckoned(session, owed_accounts[start : start + 1000])
    return found


def _reckoned(session: Session | Connection, owed_accounts: Sequence[str]) -> dict[str, Reckoned]:
    moves: dict[str, list[tuple[int, Move]]] = {a: [] for a in owed_accounts}
    t = LedgerTransfer
    for owed, other, owes in (
        (t.debit_account, t.credit_account, True),
        (t.credit_account, t.debit_account, False),
    ):
        for row in session.execute(
            select(
                t.serial,
                t.id,
                t.kind,
                t.code,
                t.amount,
                t.reverses_id,
                owed.label("owed"),
                other.label("other"),
                func.coalesce(PriceSplit.district_code, "").label("district_code"),
            )
            .outerjoin(PriceSplit, PriceSplit.work_order_id == t.work_order_id)
            .where(owed.in_(owed_accounts), t.kind.in_(["post", "direct", "reversal"]))
        ):
            moves[row.owed].append((row.serial, _move(row, owes)))
    return {a: reckon(m for _, m in sorted(of, key=itemgetter(0))) for a, of in moves.items()}


def _move(row: Row[Any], owes: bool) -> Move:
    vendor_id = row.other.split(":")[1] if row.other.startswith("due:") else ""
    if owes:
        charged = "handed" if row.code == CASH_BACK else "charge"
        kind = charged if vendor_id else "refund"
        return Move(row.id, kind, row.amount, vendor_id, district_code=row.district_code)
    if row.kind == "reversal":
        return Move(row.id, "back", row.amount, vendor_id, of=row.reverses_id)
    return Move(row.id, "cash" if vendor_id else "paid", row.amount, vendor_id)


def to_pass_on(
    session: Session, vendors: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return by vendor and district the fen that families paid its bank and that it has not passed on.

    The district is that of the services, which stand on its statements: an elder who moved has charges in
    two. Less than nothing: what the vendor owes of cash and payments whose visits were taken back.
    """
    rest = dict.fromkeys(vendors, 0)
    of_due = {due_account(vendor_id, OWN): vendor_id for vendor_id, _ in vendors}
    for stands in reckoned(session, _charged(session, [*of_due])).values():
        for of, fen in stands.settled.items():
            if of in rest:
                rest[of] += fen
    banks = {f"bank:{district}": district for _, district in vendors}
    t = LedgerTransfer
    for due, bank, sign in (
        (t.debit_account, t.credit_account, 1),
        (t.credit_account, t.debit_account, -1),
    ):
        for row in session.execute(
            select(due.label("due"), bank.label("bank"), t.amount).where(
                t.code == "payout", due.in_(of_due), bank.in_(banks)
            )
        ):
            passed = of_due[row.due], banks[row.bank]
            if passed in rest:
                rest[passed] -= sign * row.amount
    return rest


def _charged(session: Session, dues: Collection[str]) -> Sequence[str]:
    """Return the own-money accounts that vendors charged, of those whose money a bank has heard of."""
    t, a = LedgerTransfer, LedgerAccount
    charged = select(t.debit_account).where(t.credit_account.in_(dues), t.code.in_([OWN, "fee"]))

    def has(*made: ColumnElement[bool]) -> ColumnElement[bool]:
        return select(t.id).where(t.credit_account == a.id, *made).exists()

    # Of who paid in cash only, the bank hears when a visit is taken back.
    paid = has(t.code == "family_account") | (
        has(t.code == "cash_at_door") & has(t.kind == "reversal")
    )
    return session.scalars(
        select(a.id).where(a.kind == "owed", a.id.in_(charged), paid).order_by(a.id)
    ).all()
