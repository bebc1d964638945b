"""What a change would have done to a month: who gains and who loses rights, and what orders had cost.

Both sides are computed alike, by the terms before and after, so that only the change differs: the
month's purses as the programmes say, older purses as they stood when the month began, and every work
order of the month in the order of its use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period
from marketplace.kernel.facts import Facts
from marketplace.vouchers.eligibility import best_of_slots
from marketplace.vouchers.expected import Sold
from marketplace.vouchers.models import Entitlement, PriceShare, PriceSplit
from marketplace.vouchers.programmes import Book, Terms, Tier
from marketplace.vouchers.quotes import Purse, QuoteRequest, entitlement_account, quote_from

EXAMPLES = 10
"""How many of those who pay most more, and most less, are named."""


@dataclass(frozen=True, slots=True)
class TierLine:
    """How many people hold a benefit row, and what that binds of a month's budget."""

    programme_code: str
    tier: str
    people_before: int
    people_after: int
    fen_before: int
    fen_after: int


@dataclass(frozen=True, slots=True)
class PayerLine:
    """What a payer gave for the month's orders; ``OWN`` is the elders themselves."""

    programme_code: str
    fen_before: int
    fen_after: int


@dataclass(frozen=True, slots=True)
class DistrictLine:
    """What the changed programme binds of one district's budget in a month."""

    district_code: str
    people_before: int
    people_after: int
    fen_before: int
    fen_after: int


@dataclass(frozen=True, slots=True)
class OwnMoney:
    """What one elder paid for the month's orders."""

    elder_id: str
    before_fen: int
    after_fen: int


@dataclass(frozen=True, slots=True)
class Moved:
    """One elder whose rights or own money a change moves. Rights: ``GP-C1 120, LV-2 10000``, those that
    differ, in minutes or fen a month."""

    elder_id: str
    district_code: str
    rights_before: str
    rights_after: str
    own_before_fen: int
    own_after_fen: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A month under the terms before and after. ``gaining``, ``losing``: elders whose rights grow or
    shrink in at least one slot; ``paying_less``, ``paying_more``: by what their orders had cost."""

    period: str
    elders: int
    gaining: int
    losing: int
    tiers: tuple[TierLine, ...]
    districts: tuple[DistrictLine, ...]
    work_orders: int
    payers: tuple[PayerLine, ...]
    paying_less: int
    paying_less_fen: int
    paying_more: int
    paying_more_fen: int
    most_less: tuple[OwnMoney, ...]
    most_more: tuple[OwnMoney, ...]

    @property
    def public_fen(self) -> int:
        """Return what the change would have cost the programmes for the month's orders."""
        return sum(p.fen_after - p.fen_before for p in self.payers if p.programme_code != "OWN")

    @property
    def bound_fen(self) -> int:
        """Return what the change binds more of a month's budgets."""
        return sum(t.fen_after - t.fen_before for t in self.tiers)


Holding = list[tuple[Terms, Tier]]


@dataclass(slots=True)
class Tally:
    """Adds up a trial, a district's chunk of people at a time.

    ``each`` is told everybody whose rights or own money move, in the order of their ids.
    """

    before: Book
    after: Book
    code: str
    on: date
    period: Period
    each: Callable[[Moved], None] | None = None
    elders: int = 0
    gaining: int = 0
    losing: int = 0
    work_orders: int = 0
    _tiers: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _districts: dict[str, list[int]] = field(default_factory=dict)
    _payers: dict[str, list[int]] = field(default_factory=dict)
    _less: list[int] = field(default_factory=lambda: [0, 0])
    _more: list[int] = field(default_factory=lambda: [0, 0])
    _most: list[OwnMoney] = field(default_factory=list)

    def add(
        self,
        session: Session,
        district_code: str,
        people: Sequence[tuple[str, Facts]],
        whose: Select[tuple[str]],
    ) -> None:
        """Count people of one district, and replay their work orders. ``whose`` names the same."""
        sides = [
            [t for t in book.all_terms(self.on, district_code) if t.grant in ("monthly", "outside")]
            for book in (self.before, self.after)
        ]
        # People who share one mapping of facts are decided once; it is kept with its answer.
        decided: dict[int, tuple[Facts, Holding, Holding]] = {}
        held: dict[str, tuple[Holding, Holding]] = {}
        for elder_id, facts in people:
            if id(facts) not in decided:
                answers = [best_of_slots(terms, facts) for terms in sides]
                decided[id(facts)] = (facts, answers[0], answers[1])
            _, was, will = decided[id(facts)]
            held[elder_id] = (was, will)
            self._count(district_code, was, will)
        paid = self._replay(session, whose, held)
        if self.each is not None:
            for elder_id, (was, will) in held.items():
                moved = _moved(elder_id, district_code, was, will, paid.get(elder_id))
                if moved is not None:
                    self.each(moved)

    def _count(self, district_code: str, was: Holding, will: Holding) -> None:
        self.elders += 1
        amounts = [{t.slot: tier.amount for t, tier in side} for side in (was, will)]
        slots = amounts[0].keys() | amounts[1].keys()
        moved = [amounts[1].get(s, 0) - amounts[0].get(s, 0) for s in slots]
        self.gaining += any(m > 0 for m in moved)
        self.losing += any(m < 0 for m in moved)
        for side, holding in enumerate((was, will)):
            for t, tier in holding:
                fen = t.fen_of_minutes(tier.amount) if t.unit == "minutes" else tier.amount
                line = self._tiers.setdefault((t.code, tier.name), [0, 0, 0, 0])
                line[side] += 1
                line[2 + side] += fen
                if t.code == self.code:
                    of = self._districts.setdefault(district_code, [0, 0, 0, 0])
                    of[side] += 1
                    of[2 + side] += fen

    def _replay(
        self,
        session: Session,
        whose: Select[tuple[str]],
        held: dict[str, tuple[Holding, Holding]],
    ) -> dict[str, OwnMoney]:
        """Price the month's work orders by both sides' terms; return what each elder had paid."""
        paid: dict[str, OwnMoney] = {}
        asked = _bought(session, self.period, whose)
        older = _older(session, self.before, self.period, sorted(asked))
        for elder_id, requests in asked.items():
            if elder_id not in held:
                continue
            own = [0, 0]
            for side, holding in enumerate(held[elder_id]):
                purses = [p.copy() for p in older.get(elder_id, ())]
                purses += [_purse(elder_id, self.period, t, tier) for t, tier in holding]
                for request in requests:
                    for share in quote_from(request, purses).shares:
                        self._payers.setdefault(share.programme_code, [0, 0])[side] += share.fen
                        own[side] += share.fen if share.programme_code == "OWN" else 0
            self.work_orders += len(requests)
            paid[elder_id] = OwnMoney(elder_id, own[0], own[1])
            self._compare(paid[elder_id])
        return paid

    def _compare(self, paid: OwnMoney) -> None:
        by = paid.after_fen - paid.before_fen
        if by == 0:
            return
        count = self._less if by < 0 else self._more
        count[0] += 1
        count[1] += abs(by)
        self._most.append(paid)
        if len(self._most) > 1_000:
            self._most = [*_most(self._most, -1), *_most(self._most, 1)]

    def result(self) -> Trial:
        """Return the trial so far; only lines that the change moves."""
        return Trial(
            period=str(self.period),
            elders=self.elders,
            gaining=self.gaining,
            losing=self.losing,
            tiers=tuple(
                TierLine(code, tier, *line)
                for (code, tier), line in sorted(self._tiers.items())
                if line[0] != line[1] or line[2] != line[3]
            ),
            districts=tuple(DistrictLine(c, *line) for c, line in sorted(self._districts.items())),
            work_orders=self.work_orders,
            payers=tuple(
                PayerLine(code, *line)
                for code, line in sorted(self._payers.items())
                if line[0] != line[1]
            ),
            paying_less=self._less[0],
            paying_less_fen=self._less[1],
            paying_more=self._more[0],
            paying_more_fen=self._more[1],
            most_less=tuple(_most(self._most, -1)),
            most_more=tuple(_most(self._most, 1)),
        )


def _moved(
    elder_id: str, district_code: str, was: Holding, will: Holding, paid: OwnMoney | None
) -> Moved | None:
    sides = [{f"{tier.name} {tier.amount}" for _, tier in side} for side in (was, will)]
    before, after = sides[0] - sides[1], sides[1] - sides[0]
    own = (paid.before_fen, paid.after_fen) if paid else (0, 0)
    if not before and not after and own[0] == own[1]:
        return None
    return Moved(elder_id, district_code, ", ".join(sorted(before)), ", ".join(sorted(after)), *own)


def _most(paid: Iterable[OwnMoney], sign: int) -> list[OwnMoney]:
    mine = [p for p in paid if (p.after_fen - p.before_fen) * sign > 0]
    return sorted(mine, key=lambda p: (-abs(p.after_fen - p.before_fen), p.elder_id))[:EXAMPLES]


def _purse(elder_id: str, period: Period, terms: Terms, tier: Tier) -> Purse:
    return Purse(
        account_id=entitlement_account(terms.slot, elder_id, period),
        terms=terms,
        tier=tier.name,
        left=tier.amount,
        valid_from=period.first,
        ends_on=terms.ends_on(period),
        expected=True,
    )


def _bought(
    session: Session, period: Period, whose: Select[tuple[str]]
) -> dict[str, list[QuoteRequest]]:
    """Return the month's work orders that were not cancelled, by elder, in the order of their use."""
    asked: dict[str, list[QuoteRequest]] = defaultdict(list)
    s = PriceSplit
    for row in session.execute(
        select(s.elder_id, s.use_on, s.district_code, s.sold)
        .where(
            s.period == str(period),
            s.state.in_(["expected", "held", "captured"]),
            s.elder_id.in_(whose),
        )
        .order_by(s.elder_id, s.use_on, s.at, s.work_order_id)
    ):
        sold: dict[str, Any] = dict(row.sold)
        quantity = sold.pop("quantity")
        asked[row.elder_id].append(
            QuoteRequest(row.elder_id, Sold(**sold), row.use_on, row.district_code, quantity)
        )
    return asked


def _older(
    session: Session, book: Book, period: Period, elders: Sequence[str]
) -> dict[str, list[Purse]]:
    """Return purses that are not the month's own grants, as they stood when the month began."""
    found: dict[str, list[Purse]] = defaultdict(list)
    by_account: dict[str, Purse] = {}
    e, p, s = Entitlement, PriceShare, PriceSplit
    for start in range(0, len(elders), 2000):
        for row in session.scalars(
            select(e)
            .where(
                e.elder_id.in_(elders[start : start + 2000]),
                e.valid_from <= period.last,
                e.ends_on >= period.first,
            )
            .order_by(e.account_id)
        ):
            terms = book.terms_of(row.programme_code, row.programme_version, row.district_code)
            if row.valid_from >= period.first and terms.grant in ("monthly", "outside"):
                continue
            purse = Purse(
                row.account_id, terms, row.tier, row.granted, row.valid_from, row.ends_on, False
            )
            found[row.elder_id].append(purse)
            by_account[row.account_id] = purse
    accounts = sorted(by_account)
    for start in range(0, len(accounts), 2000):
        for account_id, fen, minutes in session.execute(
            select(p.account_id, func.sum(p.fen), func.sum(p.minutes))
            .join(s, (s.work_order_id == p.work_order_id) & (s.revision == p.revision))
            .where(
                p.account_id.in_(accounts[start : start + 2000]),
                s.use_on < period.first,
                s.state.in_(["held", "captured"]),
            )
            .group_by(p.account_id)
        ):
            purse = by_account[account_id]
            purse.left -= int(minutes if purse.terms.unit == "minutes" else fen)
    return found
