"""Holding the shares of a quote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from marketplace.kernel.errors import WrongState
from marketplace.vouchers.ledger import (
    Account,
    Entry,
    expect_many,
    open_accounts,
    post,
    shard_of,
)
from marketplace.vouchers.models import (
    AccountKind,
    PriceShare,
    PriceSplit,
)
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.quotes import (
    DayPurse,
    Quote,
)
from marketplace.vouchers.receipts import (
    HoldReceipt,
    HoldRequest,
)
from marketplace.vouchers.split import Share
from marketplace.vouchers.splits import (
    fund_account,
    hold_terms,
    owed_account,
    share_rows,
    sold_terms,
    tell_outside,
)


def hold(
    session: Session,
    *,
    work_order_id: str,
    elder_id: str,
    quote: Quote,
    at: datetime,
    after: Sequence[Entry] = (),
) -> HoldReceipt:
    """Hold a quote's shares for a work order that is already inserted.

    Repeating it returns the first answer. After a release the work order may be held anew. ``after`` are
    transfers made before the holds and in one movement with them. Raises ``EntitlementTooSmall`` where
    another order was faster, ``WrongState`` where money has moved on.
    """
    request = HoldRequest(work_order_id=work_order_id, elder_id=elder_id, quote=quote)
    return hold_many(session, [request], at=at, after=after)[0]


def hold_many(
    session: Session,
    requests: Sequence[HoldRequest],
    *,
    at: datetime,
    after: Sequence[Entry] = (),
) -> list[HoldReceipt]:
    """Hold many quotes at once, all or none; each as ``hold`` would.

    The quotes must come from one ``quote_many``, which lets each see what those before it took.
    """
    if len(requests) > 500:
        expect_many(session)
    known = _splits(session, [r.work_order_id for r in requests])
    receipts: dict[str, HoldReceipt] = {}
    fresh: list[tuple[HoldRequest, int]] = []
    again: list[tuple[HoldRequest, int]] = []
    for r in requests:
        before = known.get(r.work_order_id)
        if before is None:
            fresh.append((r, 1))
        elif before.state == "released" or (before.state == "expected" and not r.quote.expected):
            again.append((r, before.revision + 1))
        elif before.state in ("held", "expected"):
            receipts[r.work_order_id] = _held_before(session, before)
        else:
            raise WrongState(id=r.work_order_id, state=before.state, expected=["released"])
    _write_splits(session, fresh, again, known, at)
    _write_holds(session, fresh + again, at, after)
    for r, revision in fresh + again:
        receipts[r.work_order_id] = HoldReceipt(
            work_order_id=r.work_order_id,
            state="expected" if r.quote.expected else "held",
            revision=revision,
            price_fen=r.quote.price_fen,
            own_fen=r.quote.own_fen,
            shares=r.quote.shares,
        )
    return [receipts[r.work_order_id] for r in requests]


def _splits(session: Session, ids: Sequence[str]) -> dict[str, PriceSplit]:
    found: dict[str, PriceSplit] = {}
    for start in range(0, len(ids), 2000):
        for row in session.scalars(
            select(PriceSplit)
            .where(PriceSplit.work_order_id.in_(ids[start : start + 2000]))
            .execution_options(populate_existing=True)
        ):
            found[row.work_order_id] = row
    return found


def _held_before(session: Session, before: PriceSplit) -> HoldReceipt:
    shares = tuple(
        Share(
            programme_code=s.programme_code,
            fen=s.fen,
            minutes=s.minutes,
            account_id="" if s.programme_code == OWN else s.account_id,
            programme_version=s.programme_version,
            tier=s.tier,
            rate_fen_per_hour=s.rate_fen_per_hour,
        )
        for s in share_rows(session, before.work_order_id, before.revision)
    )
    return HoldReceipt(
        work_order_id=before.work_order_id,
        state=before.state,
        revision=before.revision,
        price_fen=before.price_fen,
        own_fen=sum(s.fen for s in shares if s.programme_code == OWN),
        shares=shares,
    )


def _write_splits(
    session: Session,
    fresh: Sequence[tuple[HoldRequest, int]],
    again: Sequence[tuple[HoldRequest, int]],
    known: dict[str, PriceSplit],
    at: datetime,
) -> None:
    if fresh:
        session.execute(
            insert(PriceSplit),
            [
                {
                    "work_order_id": r.work_order_id,
                    "revision": 1,
                    "elder_id": r.elder_id,
                    "district_code": r.quote.district_code,
                    "period": str(r.quote.period),
                    "use_on": r.quote.on,
                    "price_fen": r.quote.price_fen,
                    "minutes": r.quote.minutes,
                    "sold": r.quote.sold,
                    "state": "expected" if r.quote.expected else "held",
                    "at": at,
                }
                for r, _ in fresh
            ],
        )
    for r, revision in again:
        before = known[r.work_order_id]
        if before.use_on != r.quote.on:
            raise WrongState(
                id=r.work_order_id, state="another date", expected=["a new work order"]
            )
        moved = session.execute(
            update(PriceSplit)
            .where(
                PriceSplit.work_order_id == r.work_order_id,
                PriceSplit.revision == revision - 1,
                PriceSplit.state == before.state,
            )
            .values(
                revision=revision,
                price_fen=r.quote.price_fen,
                minutes=r.quote.minutes,
                sold=r.quote.sold,
                state="expected" if r.quote.expected else "held",
                at=at,
            )
            .execution_options(synchronize_session=False)
        )
        if moved.rowcount != 1:  # type: ignore[attr-defined]
            raise WrongState(id=r.work_order_id, state="changed meanwhile", expected=[before.state])


def _write_holds(
    session: Session,
    requests: Sequence[tuple[HoldRequest, int]],
    at: datetime,
    after: Sequence[Entry],
) -> None:
    accounts: dict[str, Account] = {}
    entries: list[Entry] = []
    shares: list[dict[str, object]] = []
    days: dict[str, tuple[DayPurse, str]] = {}
    for r, revision in requests:
        days |= {d.account_id: (d, r.elder_id) for d in r.quote.days if not r.quote.expected}
        sold = sold_terms(
            price_fen=r.quote.price_fen, minutes=r.quote.minutes, sold=r.quote.sold, at=at
        )
        for position, share in enumerate(r.quote.shares, start=1):
            made: tuple[Entry, ...] = ()
            if not r.quote.expected:
                made = _hold_entries(r, revision, position, share, accounts, sold)
            entries.extend(made)
            by_unit = {e.unit: e.id for e in made}
            shares.append(
                {
                    "work_order_id": r.work_order_id,
                    "revision": revision,
                    "position": position,
                    "programme_code": share.programme_code,
                    "programme_version": share.programme_version,
                    "tier": share.tier,
                    "unit": share.unit,
                    "fen": share.fen,
                    "minutes": share.minutes,
                    "rate_fen_per_hour": share.rate_fen_per_hour,
                    "account_id": share.account_id or owed_account(r.elder_id),
                    "pending_id": by_unit.get("fen"),
                    "pending_minutes_id": by_unit.get("minutes"),
                    "sold_sha256": sold,
                }
            )
    entries = _open_days(session, days) + entries
    open_accounts(session, accounts.values())
    post(session, [*after, *entries], at=at)
    if shares:
        # Through the table: an insert by the class leaves out what is None, and so makes a statement
        # of every run of rows that have the same columns.
        session.connection().execute(insert(PriceShare.__table__), shares)  # type: ignore[arg-type]
    for e in entries:
        tell_outside(session, e, "hold", at)


def _open_days(session: Session, days: dict[str, tuple[DayPurse, str]]) -> list[Entry]:
    """Open the day accounts that nobody opened yet; return the transfers that fill them."""
    if not days:
        return []
    wanted = {}
    for day, elder_id in days.values():
        _, programme, _, on = day.account_id.split(":")
        wanted[day.account_id] = Account(
            id=day.account_id,
            kind=AccountKind.DAY,
            unit="fen",
            programme_code=programme,
            elder_id=elder_id,
            period=on,
        )
    opened = open_accounts(session, wanted.values())
    return [
        Entry(
            id=f"day/{account_id.removeprefix('day:')}",
            kind="direct",
            code="day",
            unit="fen",
            debit=days[account_id][0].entitlement_id,
            credit=account_id,
            amount=days[account_id][0].amount,
            period=(wanted[account_id].period or "")[:7],
        )
        for account_id in sorted(opened)
    ]


def _hold_entries(
    r: HoldRequest,
    revision: int,
    position: int,
    share: Share,
    accounts: dict[str, Account],
    sold_sha256: str,
) -> tuple[Entry, ...]:
    """Return the pending transfers of one share, and collect the accounts that they need."""
    code, district = share.programme_code, r.quote.district_code
    shard = shard_of(r.elder_id)
    period = str(r.quote.period)
    promised = Account(
        id=f"promised:{code}:{district}:{shard}",
        kind=AccountKind.PROMISED,
        unit="fen",
        programme_code=code,
        district_code=district,
    )
    accounts[promised.id] = promised
    terms = hold_terms(
        work_order_id=r.work_order_id,
        revision=revision,
        position=position,
        programme_code=code,
        programme_version=share.programme_version,
        tier=share.tier,
        fen=share.fen,
        minutes=share.minutes,
        rate_fen_per_hour=share.rate_fen_per_hour,
        account_id=share.account_id or owed_account(r.elder_id),
        elder_id=r.elder_id,
        district_code=district,
        use_on=r.quote.on,
        period=period,
        sold_sha256=sold_sha256,
    )

    def pending(tail: str, unit: str, debit: str, credit: str, amount: int) -> Entry:
        return Entry(
            id=f"hold/{r.work_order_id}/{revision}/{position}{tail}",
            kind="pending",
            code=code,
            unit=unit,
            debit=debit,
            credit=credit,
            amount=amount,
            period=period,
            work_order_id=r.work_order_id,
            terms_sha256=terms,
        )

    if code == OWN:
        owed = owed_account(r.elder_id)
        accounts[owed] = Account(
            id=owed,
            kind=AccountKind.OWED,
            unit="fen",
            programme_code=OWN,
            elder_id=r.elder_id,
            district_code=district,
        )
        return (pending("", "fen", owed, promised.id, share.fen),)
    if not share.minutes:
        return (pending("", "fen", share.account_id, promised.id, share.fen),)
    served = Account(
        id=f"served:{code}:{district}:{shard}",
        kind=AccountKind.SERVED,
        unit="minutes",
        programme_code=code,
        district_code=district,
    )
    accounts[served.id] = served
    granted_in = share.account_id.split(":")[3]
    # Whoever moved to another district keeps the month, and the money behind it is where it was granted.
    fund = fund_account(code, share.granted_in or district, granted_in, r.elder_id)
    return (
        pending("", "fen", fund, promised.id, share.fen),
        pending("/min", "minutes", share.account_id, served.id, share.minutes),
    )
