"""What an order would cost each payer, read from the balances in force; nothing is written.

A month whose grants have not run yet is quoted as the programmes say (``expected``): the shares are
promised to the elder and held when the month's grants are released.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period
from marketplace.kernel.facts import Facts
from marketplace.vouchers import changes, programmes
from marketplace.vouchers.eligibility import best_of_slots
from marketplace.vouchers.models import (
    Entitlement,
    GrantRun,
    LedgerAccount,
    PriceShare,
    PriceSplit,
)
from marketplace.vouchers.programmes import OWN, Book, Terms
from marketplace.vouchers.split import Balance, Bought, ServiceVersionLike, Share, split


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a programme pays nothing for this service, or how much. ``reason`` is a stable code.

    ``pays``, ``not_covered``, ``used_up``, ``less_than_a_step``, ``paid_before`` (an earlier payer
    took all).
    """

    programme_code: str
    tier: str
    reason: str
    fen: int = 0
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class DayPurse:
    """How a day account is opened: ``amount`` is moved to it from the month's entitlement."""

    account_id: str
    entitlement_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Quote:
    """Who would pay what, and what is left of each programme afterwards (fen or minutes)."""

    elder_id: str
    district_code: str
    on: date
    price_fen: int
    minutes: int
    shares: tuple[Share, ...]
    left_after: dict[str, int]
    explanations: tuple[Explanation, ...]
    expected: bool
    sold: dict[str, Any] = field(default_factory=dict)
    days: tuple[DayPurse, ...] = ()

    @property
    def own_fen(self) -> int:
        """Return what the elder pays."""
        return sum(s.fen for s in self.shares if s.programme_code == OWN)

    @property
    def period(self) -> Period:
        """Return the month of use: that of the service's start."""
        return Period.of(self.on)


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """One service for one elder on one date. ``facts`` are needed for a month not yet granted."""

    elder_id: str
    service_version: ServiceVersionLike
    on: date
    district_code: str
    quantity: int = 1
    facts: Facts | None = None


@dataclass(slots=True)
class Purse:
    """An entitlement's balance while a list of quotes uses it up. ``district_code``: where it was granted."""

    account_id: str
    terms: Terms
    tier: str
    left: int
    valid_from: date
    ends_on: date
    expected: bool
    district_code: str = ""
    days: dict[date, int] = field(default_factory=dict)
    open_days: set[date] = field(default_factory=set)
    opened_with: dict[date, int] = field(default_factory=dict)

    def copy(self) -> Purse:
        """Return a purse of its own with the same balance."""
        return replace(
            self,
            days=dict(self.days),
            open_days=set(self.open_days),
            opened_with=dict(self.opened_with),
        )

    def use_day(self, on: date, amount: int) -> None:
        """Use what one day may take; the first use sets the day's whole amount aside."""
        if on not in self.days:
            tier = self.terms.tier(self.tier)
            self.days[on] = min(tier.per_item_fen * self.terms.items_per_day, self.left)
            self.left -= self.days[on]
            self.opened_with[on] = self.days[on]
        self.days[on] -= amount


def quote(
    session: Session,
    *,
    elder_id: str,
    service_version: ServiceVersionLike,
    on: date,
    district_code: str,
    quantity: int = 1,
    facts: Facts | None = None,
) -> Quote:
    """Return who would pay what for ``quantity`` of a service on a date; reads only."""
    request = QuoteRequest(
        elder_id=elder_id,
        service_version=service_version,
        on=on,
        district_code=district_code,
        quantity=quantity,
        facts=facts,
    )
    return quote_many(session, [request])[0]


def quote_many(session: Session, requests: Sequence[QuoteRequest]) -> list[Quote]:
    """Return the quotes of a list, each seeing what the ones before it would leave."""
    purses = _load(session, requests)
    return [quote_from(request, purses[request.elder_id]) for request in requests]


def quote_again(session: Session, request: QuoteRequest, *, freed: Mapping[str, int]) -> Quote:
    """Return a quote as if each account in ``freed`` had so much more (fen or minutes; less below zero)."""
    purses = _load(session, [request])[request.elder_id]
    for purse in purses:
        purse.left += freed.get(purse.account_id, 0)
        for day in purse.days:
            purse.days[day] += freed.get(day_account(purse.terms.code, request.elder_id, day), 0)
    return quote_from(request, purses)


def quote_each(session: Session, requests: Sequence[QuoteRequest]) -> list[Quote]:
    """Return the quotes of alternatives, each as if none of the others were asked for."""
    purses = _load(session, requests)
    return [quote_from(r, [p.copy() for p in purses[r.elder_id]]) for r in requests]


def quote_from(request: QuoteRequest, purses: list[Purse]) -> Quote:
    """Return who would pay what out of these purses, and use them up. Pure."""
    bought = Bought.of(request.service_version, request.quantity)
    price = request.service_version.price_fen * request.quantity
    order = programmes.settings_on(request.on).order
    in_force = [p for p in purses if p.valid_from <= request.on <= p.ends_on]
    balances: dict[str, tuple[Purse, Balance]] = {}
    explanations: list[Explanation] = []
    for purse in in_force:
        balance = _balance(purse, bought, request.on, request.elder_id)
        if balance is None:
            explanations.append(Explanation(purse.terms.code, purse.tier, "not_covered"))
        elif balance.left <= 0:
            explanations.append(Explanation(purse.terms.code, purse.tier, "used_up"))
        else:
            balances[balance.account_id] = (purse, balance)
    shares = split(price, bought, [b for _, b in balances.values()], order)
    paid = {s.account_id: s for s in shares}
    days: list[DayPurse] = []
    for account_id, (purse, balance) in balances.items():
        share = paid.get(account_id)
        explanations.append(_explain(purse, balance, share, shares))
        if share is not None:
            days.extend(_take(purse, share, request.on))
    return Quote(
        elder_id=request.elder_id,
        district_code=request.district_code,
        on=request.on,
        price_fen=price,
        minutes=bought.minutes,
        shares=shares,
        left_after=_left(in_force),
        explanations=tuple(explanations),
        expected=any(balances[s.account_id][0].expected for s in shares if s.account_id),
        sold={
            "service_code": bought.code,
            "unit": bought.unit,
            "mode": bought.mode,
            "subsidised": bought.subsidised,
            "duration_min": request.service_version.duration_min,
            "price_fen": request.service_version.price_fen,
            "quantity": request.quantity,
        },
        days=tuple(days),
    )


def _left(purses: Iterable[Purse]) -> dict[str, int]:
    left: dict[str, int] = {}
    for purse in purses:
        left[purse.terms.code] = left.get(purse.terms.code, 0) + purse.left
    return left


def _explain(
    purse: Purse, balance: Balance, share: Share | None, shares: Sequence[Share]
) -> Explanation:
    if share:
        return Explanation(purse.terms.code, purse.tier, "pays", share.fen, share.minutes)
    has_own_part = any(s.programme_code == OWN for s in shares)
    reason = "paid_before"
    if has_own_part:
        reason = "paid_before" if balance.kind == "in_kind" else "less_than_a_step"
    return Explanation(purse.terms.code, purse.tier, reason)


def _balance(purse: Purse, bought: Bought, on: date, elder_id: str) -> Balance | None:
    terms = purse.terms
    covers = terms.services.cover(
        code=bought.code,
        category=bought.category,
        unit=bought.unit,
        mode=bought.mode,
        subsidised=bought.subsidised,
    )
    if not covers:
        return None
    percent = rate_percent(terms, code=bought.code, mode=bought.mode)
    if percent is None:
        return None
    tier = terms.tier(purse.tier)
    account_id, left = purse.account_id, purse.left
    if terms.items_per_day:
        account_id = day_account(terms.code, elder_id, on)
        left = purse.days.get(on, min(tier.per_item_fen * terms.items_per_day, purse.left))
    return Balance(
        programme_code=terms.code,
        slot=terms.slot,
        kind=terms.kind,
        left=left,
        account_id=account_id,
        ends_on=purse.ends_on,
        programme_version=terms.valid_from,
        tier=purse.tier,
        rate_fen_per_hour=terms.rate_fen_per_hour,
        block_min=terms.block_min,
        percent=percent,
        per_item_fen=tier.per_item_fen,
        step_fen=terms.step_fen,
        granted_in=purse.district_code,
    )


def rate_percent(terms: Terms, *, code: str, mode: str) -> int | None:
    """Return what percentage a ``rate`` programme pays of a service, ``None`` where it pays none."""
    if terms.kind != "rate":
        return 0
    fit = [r.percent for r in terms.rates if code in r.codes]
    fit = fit or [r.percent for r in terms.rates if mode in r.modes]
    return max(fit) if fit else None


def day_account(programme_code: str, elder_id: str, on: date) -> str:
    """Return the id of the account that holds what one day may use of a programme."""
    return f"day:{programme_code}:{elder_id}:{on.isoformat()}"


def _take(purse: Purse, share: Share, on: date) -> list[DayPurse]:
    """Use up what a share takes; return how its day account is opened, where there is one."""
    amount = share.minutes or share.fen
    if not purse.terms.items_per_day:
        purse.left -= amount
        return []
    purse.use_day(on, amount)
    if on in purse.open_days:
        return []
    # Every quote of the day names the whole amount: whichever is held first opens the day with it.
    return [DayPurse(share.account_id, purse.account_id, purse.opened_with[on])]


def _load(session: Session, requests: Sequence[QuoteRequest]) -> dict[str, list[Purse]]:
    purses: dict[str, list[Purse]] = {r.elder_id: [] for r in requests}
    if not requests:
        return purses
    book = changes.book(session)
    first, last = min(r.on for r in requests), max(r.on for r in requests)
    elders = sorted(purses)
    account = LedgerAccount
    for start in range(0, len(elders), 2000):
        rows = session.execute(
            select(
                Entitlement,
                account.credits_posted - account.debits_posted - account.debits_pending,
            )
            .join(account, account.id == Entitlement.account_id)
            .where(
                Entitlement.elder_id.in_(elders[start : start + 2000]),
                Entitlement.valid_from <= last,
                Entitlement.ends_on >= first,
            )
            .order_by(Entitlement.account_id)
        )
        for e, left in rows:
            terms = book.terms_of(e.programme_code, e.programme_version, e.district_code)
            purses[e.elder_id].append(
                Purse(
                    e.account_id,
                    terms,
                    e.tier,
                    left,
                    e.valid_from,
                    e.ends_on,
                    False,
                    e.district_code,
                )
            )
    _load_days(session, purses, first, last)
    _load_expected(session, book, requests, purses)
    return purses


def _load_days(session: Session, purses: dict[str, list[Purse]], first: date, last: date) -> None:
    elders = sorted(e for e, of in purses.items() if any(p.terms.items_per_day for p in of))
    a = LedgerAccount
    for start in range(0, len(elders), 2000):
        for row in session.execute(
            select(
                a.programme_code,
                a.elder_id,
                a.period,
                a.credits_posted - a.debits_posted - a.debits_pending,
            ).where(
                a.kind == "day",
                a.elder_id.in_(elders[start : start + 2000]),
                a.period >= first.isoformat(),
                a.period <= last.isoformat(),
            )
        ):
            day = date.fromisoformat(row[2])
            for purse in purses[row[1]]:
                if purse.terms.code == row[0] and purse.valid_from <= day <= purse.ends_on:
                    purse.days[day] = row[3]
                    purse.open_days.add(day)


def entitlement_account(slot: str, elder_id: str, period: Period | str, sequence: int = 0) -> str:
    """Return the id of the account of an elder's entitlement of a slot for a month."""
    tail = f":{sequence}" if sequence else ""
    return f"ent:{slot}:{elder_id}:{period}{tail}"


def _load_expected(
    session: Session,
    book: Book,
    requests: Sequence[QuoteRequest],
    purses: dict[str, list[Purse]],
) -> None:
    asked = {(r.elder_id, Period.of(r.on)): r for r in requests if r.facts is not None}
    if not asked:
        return
    periods = sorted({str(p) for _, p in asked})
    released = session.execute(
        select(GrantRun.period, GrantRun.district_code).where(
            GrantRun.state == "released", GrantRun.period.in_(periods)
        )
    )
    granted = {(row[0], row[1]) for row in released}
    fresh: dict[str, Purse] = {}
    for (elder_id, period), request in asked.items():
        if (str(period), request.district_code) in granted or request.facts is None:
            continue
        have = {
            p.terms.slot
            for p in purses[elder_id]
            if p.account_id == entitlement_account(p.terms.slot, elder_id, period)
        }
        in_force = [
            t
            for t in book.all_terms(period.first, request.district_code)
            if t.grant in ("monthly", "outside") and t.slot not in have
        ]
        for terms, tier in best_of_slots(in_force, request.facts):
            account_id = entitlement_account(terms.slot, elder_id, period)
            purse = Purse(
                account_id,
                terms,
                tier.name,
                tier.amount,
                period.first,
                terms.ends_on(period),
                True,
                request.district_code,
            )
            fresh[account_id] = purse
            purses[elder_id].append(purse)
    _deduct_promised(session, fresh)


def _deduct_promised(session: Session, fresh: dict[str, Purse]) -> None:
    """Take off what other work orders were promised from grants that have not run."""
    if not fresh:
        return
    by_elder: dict[str, list[Purse]] = defaultdict(list)
    for purse in fresh.values():
        by_elder[purse.account_id.split(":")[2]].append(purse)
    elders = sorted(by_elder)
    for start in range(0, len(elders), 2000):
        for row in session.execute(
            select(
                PriceShare.account_id,
                PriceShare.programme_code,
                PriceSplit.elder_id,
                PriceSplit.use_on,
                func.sum(PriceShare.fen),
                func.sum(PriceShare.minutes),
            )
            .join(
                PriceSplit,
                (PriceSplit.work_order_id == PriceShare.work_order_id)
                & (PriceSplit.revision == PriceShare.revision),
            )
            .where(
                PriceSplit.state == "expected",
                PriceSplit.elder_id.in_(elders[start : start + 2000]),
            )
            .group_by(
                PriceShare.account_id,
                PriceShare.programme_code,
                PriceSplit.elder_id,
                PriceSplit.use_on,
            )
        ):
            purse = fresh.get(row[0])
            if purse is not None:
                purse.left -= int(row[5]) if purse.terms.unit == "minutes" else int(row[4])
                continue
            for purse in by_elder[row[2]]:
                if (
                    purse.terms.items_per_day
                    and purse.terms.code == row[1]
                    and purse.valid_from <= row[3] <= purse.ends_on
                ):
                    purse.use_day(row[3], int(row[4]))
