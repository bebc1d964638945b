"""How vendors stand with the districts' banks: what is due, what was paid, what is carried as a debt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.kernel.db import wait_for_turn
from marketplace.settlement import checks, withheld
from marketplace.vouchers import own_debts, payouts, repayments
from marketplace.vouchers.payouts import PaidOut
from marketplace.vouchers.repayments import OF_FAMILIES


@dataclass(frozen=True, slots=True)
class Carried:
    """A vendor's released statements in a district: ``due`` is what of each payer's part stands after
    withholding and repayments, ``paid`` what was paid of it, ``periods`` their months, the oldest first.
    ``own_fen``: families' money to be passed on, less than nothing where it is owed back.
    ``repaid_fen``: what was repaid or given up so far."""

    vendor_id: str
    district_code: str
    due: Mapping[str, Mapping[str, int]]
    paid: Mapping[str, PaidOut]
    periods: Mapping[str, str]
    own_fen: int
    repaid_fen: int

    @property
    def unpaid(self) -> dict[str, Mapping[str, int]]:
        """Return the parts of the statements that wait for a better month, the oldest first."""
        return {i: of for i, of in self.due.items() if i not in self.paid}

    @property
    def debt_fen(self) -> int:
        """Return what the vendor owes the bank; 0 where it is owed something."""
        return max(-(self._unpaid_fen + min(self.own_fen, 0)), 0)

    @property
    def waiting_fen(self) -> int:
        """Return what the bank has for the vendor and pays with its next release; 0 where it owes."""
        return max(self._unpaid_fen + self.own_fen, 0)

    @property
    def _unpaid_fen(self) -> int:
        return sum(fen for of in self.unpaid.values() for fen in of.values())


def lock_vendor(session: Session, vendor_id: str, district_code: str) -> None:
    """Make a second payment of the same vendor wait until the transaction ends."""
    checks.lock_statements(session, vendor_id, district_code)
    # A vendor without a statement has no row to lock.
    wait_for_turn(session, f"debts/{district_code}/{vendor_id}")


def carried(session: Session, vendor_id: str, district_code: str, *, lock: bool = False) -> Carried:
    """Return how a vendor stands with a district's bank; ``lock`` makes a second payment wait."""
    if lock:
        lock_vendor(session, vendor_id, district_code)
    return standings(session, [(vendor_id, district_code)])[vendor_id, district_code]


def standings(
    session: Session, vendors: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Carried]:
    """Return how vendors stand, each with a district's bank: as many statements of SQL for all as for one."""
    released = checks.released(session, vendors)
    back = repayments.settled(session, {vendor_id for vendor_id, _ in vendors})
    own = own_debts.to_pass_on(session, vendors)
    parts = withheld.parts_of(session, [s for rows in released.values() for s in rows])
    due = {
        s.id: _sums(parts[s.id], back.get((s.vendor_id, s.id), {}))
        for rows in released.values()
        for s in rows
    }
    paid = payouts.paid_out(session, {i: [*of] for i, of in due.items()})
    found = {}
    for of, rows in released.items():
        vendor_id, district_code = of
        of_families = sum(back.get((vendor_id, f"{OF_FAMILIES}/{district_code}"), {}).values())
        of_statements = sum(sum(back.get((vendor_id, s.id), {}).values()) for s in rows)
        found[of] = Carried(
            vendor_id,
            district_code,
            due={s.id: due[s.id] for s in rows},
            paid={s.id: paid[s.id] for s in rows if s.id in paid},
            periods={s.id: s.period for s in rows},
            own_fen=own[of] + of_families,
            repaid_fen=of_families + of_statements,
        )
    return found


def waiting_for_a_statement(
    session: Session, district_code: str, *, served: Collection[str]
) -> list[str]:
    """Return the vendors that had no visit in a month and whose money waits at a district's bank.

    A family pays after the month is released. Only a release passes that on, and a vendor that has left,
    or has no visit, would never get another. Where a statement is on its way, its release does it.
    """
    idle = checks.vendors_all_released(session, district_code) - set(served)
    found = standings(session, [(vendor_id, district_code) for vendor_id in sorted(idle)])
    return [vendor_id for (vendor_id, _), stands in found.items() if stands.waiting_fen]


def _sums(part: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {c: part.get(c, 0) + more.get(c, 0) for c in sorted(part.keys() | more.keys())}
