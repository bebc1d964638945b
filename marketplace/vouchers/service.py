"""Holding, capturing, releasing and reversing the money of work orders.

Every function works in the caller's transaction and costs a constant number of statements for one
work order. Of two that come at once for one work order, the guarded UPDATE of its price split lets
one through; of two that come for one entitlement, the guarded UPDATE of its account.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session, aliased

from marketplace.kernel import outbox
from marketplace.kernel.clock import Period, local
from marketplace.kernel.errors import Conflict, NotFound, WrongState
from marketplace.vouchers import programmes
from marketplace.vouchers.ledger import (
    Account,
    BudgetTooSmall,
    EntitlementTooSmall,
    Entry,
    HoldGone,
    Pending,
    open_accounts,
    post,
    seal_terms,
    shard_of,
)
from marketplace.vouchers.models import (
    AccountKind,
    Entitlement,
    LedgerTransfer,
    PriceShare,
    PriceSplit,
    Redemption,
)
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.quotes import (
    DayPurse,
    Explanation,
    Quote,
    QuoteRequest,
    entitlement_account,
    quote,
    quote_many,
)
from marketplace.vouchers.split import Bought, ServiceVersionLike, Share, split, trimmed

__all__ = [
    "Bought",
    "BudgetTooSmall",
    "CaptureReceipt",
    "CaptureTooLate",
    "EntitlementTooSmall",
    "EntryView",
    "Explanation",
    "HoldGone",
    "HoldReceipt",
    "HoldRequest",
    "Quote",
    "QuoteRequest",
    "ServiceVersionLike",
    "Share",
    "ShareView",
    "capture",
    "capture_fee",
    "entries_of",
    "hold",
    "hold_many",
    "quote",
    "quote_many",
    "release",
    "release_many",
    "reverse",
    "shares_of",
    "split",
]

OUTSIDE_PAYERS = ("NV", "LTCI")


class CaptureTooLate(Conflict):
    """The month's captures ended. Facts: ``period``, ``last_day``."""


class HoldMissing(Conflict):
    """The month's grants have not been released, so nothing is held yet. Facts: ``period``."""


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """A work order (already in the database) and the quote that the elder saw."""

    work_order_id: str
    elder_id: str
    quote: Quote


@dataclass(frozen=True, slots=True)
class HoldReceipt:
    """What is held. ``state`` is ``held``, or ``expected`` until the month's grants are released."""

    work_order_id: str
    state: str
    revision: int
    price_fen: int
    own_fen: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class CaptureReceipt:
    """What was redeemed for which visit, and by which transfers."""

    work_order_id: str
    visit_id: str
    vendor_id: str
    price_fen: int
    fen_by_programme: dict[str, int]
    transfer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReleaseReceipt:
    """What was given back, and the fee that was kept (own money)."""

    work_order_id: str
    state: str
    released_fen: int
    fee_fen: int


@dataclass(frozen=True, slots=True)
class ReverseReceipt:
    """What was reversed; ``replacements`` are the entitlements granted for lost ones."""

    work_order_id: str
    reversed_fen: int
    replacements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShareView:
    """One payer's part of a work order as it stands."""

    position: int
    programme_code: str
    tier: str
    fen: int
    minutes: int
    account_id: str
    state: str


@dataclass(frozen=True, slots=True)
class EntryView:
    """One transfer of a work order, for the audit walk and for print."""

    serial: int
    id: str
    kind: str
    code: str
    unit: str
    debit_account: str
    credit_account: str
    amount: int
    pending_id: str | None
    reverses_id: str | None
    visit_id: str | None
    period: str
    at: datetime


def hold(
    session: Session, *, work_order_id: str, elder_id: str, quote: Quote, at: datetime
) -> HoldReceipt:
    """Hold a quote's shares for a work order that is already inserted.

    Repeating it returns the first answer. After a release the work order may be held anew. Raises
    ``EntitlementTooSmall`` where another order was faster, ``WrongState`` where money has moved on.
    """
    request = HoldRequest(work_order_id=work_order_id, elder_id=elder_id, quote=quote)
    return hold_many(session, [request], at=at)[0]


def hold_many(
    session: Session, requests: Sequence[HoldRequest], *, at: datetime
) -> list[HoldReceipt]:
    """Hold many quotes at once, all or none; each as ``hold`` would.

    The quotes must come from one ``quote_many``, which lets each see what those before it took.
    """
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
    _write_holds(session, fresh + again, at)
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
            account_id=s.account_id,
            programme_version=s.programme_version,
            tier=s.tier,
            rate_fen_per_hour=s.rate_fen_per_hour,
        )
        for s in _shares(session, before.work_order_id, before.revision)
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
    session: Session, requests: Sequence[tuple[HoldRequest, int]], at: datetime
) -> None:
    accounts: dict[str, Account] = {}
    entries: list[Entry] = []
    shares: list[dict[str, object]] = []
    days: dict[str, tuple[DayPurse, str]] = {}
    for r, revision in requests:
        days |= {d.account_id: (d, r.elder_id) for d in r.quote.days if not r.quote.expected}
        for position, share in enumerate(r.quote.shares, start=1):
            made = () if r.quote.expected else _hold_entries(r, revision, position, share, accounts)
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
                }
            )
    entries = _open_days(session, days) + entries
    open_accounts(session, accounts.values())
    post(session, entries, at=at)
    if shares:
        session.execute(insert(PriceShare), shares)
    for e in entries:
        _tell_outside(session, e, "hold", at)


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


def owed_account(elder_id: str) -> str:
    """Return the id of an elder's own-money account."""
    return f"owed:{elder_id}"


def due_account(vendor_id: str, programme_code: str) -> str:
    """Return the id of what a vendor has earned from one payer."""
    return f"due:{vendor_id}:{programme_code}"


def fund_account(programme_code: str, district_code: str, period: str, elder_id: str) -> str:
    """Return the id of the fen behind an elder's granted minutes."""
    return f"fund:{programme_code}:{district_code}:{period}:{shard_of(elder_id)}"


def _hold_entries(
    r: HoldRequest,
    revision: int,
    position: int,
    share: Share,
    accounts: dict[str, Account],
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
    terms = seal_terms(
        r.work_order_id,
        revision,
        position,
        code,
        share.programme_version,
        share.tier,
        share.fen,
        share.minutes,
        share.rate_fen_per_hour,
        share.account_id or owed_account(r.elder_id),
        r.elder_id,
        r.quote.on,
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
    fund = fund_account(code, district, granted_in, r.elder_id)
    return (
        pending("", "fen", fund, promised.id, share.fen),
        pending("/min", "minutes", share.account_id, served.id, share.minutes),
    )


def _tell_outside(session: Session, entry: Entry, verb: str, at: datetime) -> None:
    """Post the message by which an outside payer learns of a hold, a capture or a refund."""
    if entry.code not in OUTSIDE_PAYERS or entry.unit != "fen":
        return
    outbox.post(
        session,
        due_at=at,
        channel="bureau",
        recipient_kind="system",
        recipient_id=entry.code,
        template=f"outside.{verb}",
        about=entry.id,
        hold_id=entry.resolves.id if entry.resolves else entry.reverses_id or entry.id,
        account_id=entry.debit,
        fen=entry.amount,
        work_order_id=entry.work_order_id,
    )


def _shares(session: Session, work_order_id: str, revision: int) -> list[PriceShare]:
    return list(
        session.scalars(
            select(PriceShare)
            .where(PriceShare.work_order_id == work_order_id, PriceShare.revision == revision)
            .order_by(PriceShare.position)
        )
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """A share and the pending transfers that hold it."""

    share: PriceShare
    fen: Pending
    minutes: Pending | None


def _move_split(session: Session, work_order_id: str, *, to: str, since: str) -> PriceSplit | None:
    """Move a split on, if it stands where it must; of two at once one gets the row."""
    moved = session.execute(
        update(PriceSplit)
        .where(PriceSplit.work_order_id == work_order_id, PriceSplit.state == since)
        .values(state=to)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        return None
    return session.scalars(
        select(PriceSplit)
        .where(PriceSplit.work_order_id == work_order_id)
        .execution_options(populate_existing=True)
    ).one()


def _state(session: Session, work_order_id: str) -> str:
    state = session.scalar(
        select(PriceSplit.state).where(PriceSplit.work_order_id == work_order_id)
    )
    if state is None:
        raise NotFound(kind="price_split", id=work_order_id)
    return state


def _held(session: Session, work_order_ids: Iterable[str]) -> dict[str, list[_Held]]:
    """Return the shares of the current revisions with their pending transfers."""
    ids = list(work_order_ids)
    fen, minutes = aliased(LedgerTransfer), aliased(LedgerTransfer)
    held: dict[str, list[_Held]] = {i: [] for i in ids}
    for start in range(0, len(ids), 2000):
        for share, f, m in session.execute(
            select(PriceShare, fen, minutes)
            .join(
                PriceSplit,
                (PriceSplit.work_order_id == PriceShare.work_order_id)
                & (PriceSplit.revision == PriceShare.revision),
            )
            .join(fen, fen.id == PriceShare.pending_id)
            .outerjoin(minutes, minutes.id == PriceShare.pending_minutes_id)
            .where(PriceShare.work_order_id.in_(ids[start : start + 2000]))
            .order_by(PriceShare.work_order_id, PriceShare.position)
        ):
            held[share.work_order_id].append(_Held(share, _pending(f), _pending(m) if m else None))
    return held


def _pending(row: LedgerTransfer) -> Pending:
    return Pending(
        id=row.id,
        debit=row.debit_account,
        credit=row.credit_account,
        amount=row.amount,
        unit=row.unit,
    )


def capture(
    session: Session,
    *,
    work_order_id: str,
    visit_id: str,
    vendor_id: str,
    at: datetime,
    minutes_delivered: int | None = None,
    decided_late: bool = False,
) -> CaptureReceipt:
    """Redeem a work order's hold on the evidence of one visit, for the vendor who served.

    ``minutes_delivered`` below the planned minutes trims the price in proportion; ``None`` pays all.
    Repeating it with the same visit returns the first answer. Raises ``WrongState`` where the hold is
    gone, ``CaptureTooLate`` after the grace days unless a person decided a dispute late.
    """
    split_row = _move_split(session, work_order_id, to="captured", since="held")
    if split_row is None:
        return _captured_before(session, work_order_id, visit_id)
    _refuse_late(split_row, at, decided_late)
    held = _held(session, [work_order_id])[work_order_id]
    due = _trim(split_row, held, minutes_delivered)
    price = sum(fen for fen, _ in due)
    session.execute(
        insert(Redemption),
        [
            {
                "work_order_id": work_order_id,
                "visit_id": visit_id,
                "vendor_id": vendor_id,
                "period": split_row.period,
                "price_fen": price,
                "minutes_delivered": minutes_delivered,
                "at": at,
            }
        ],
    )
    entries: list[Entry] = []
    accounts: list[Account] = []
    terms = seal_terms(work_order_id, visit_id, vendor_id, price, minutes_delivered)
    for h, (fen, minutes) in zip(held, due, strict=True):
        account = due_vendor(vendor_id, h.share.programme_code)
        accounts.append(account)
        entries.append(_resolve(h.fen, split_row.period, visit_id, fen, account.id, terms, h))
        if h.minutes:
            entries.append(
                _resolve(h.minutes, split_row.period, visit_id, minutes, h.minutes.credit, terms, h)
            )
    open_accounts(session, accounts)
    post(session, entries, at=at)
    for e in entries:
        _tell_outside(session, e, "capture" if e.kind == "post" else "release", at)
    return _capture_receipt(
        work_order_id,
        visit_id,
        vendor_id,
        [(e.id, e.code, e.unit, e.amount) for e in entries if e.kind == "post"],
    )


def due_vendor(vendor_id: str, programme_code: str) -> Account:
    """Return the account of what a vendor has earned from one payer."""
    return Account(
        id=due_account(vendor_id, programme_code),
        kind=AccountKind.DUE,
        unit="fen",
        programme_code=programme_code,
        vendor_id=vendor_id,
    )


def _refuse_late(split_row: PriceSplit, at: datetime, decided_late: bool) -> None:
    period = Period.parse(split_row.period)
    grace = programmes.settings_on(split_row.use_on).capture_grace_days
    last = period.last + timedelta(days=grace)
    if local(at).date() > last and not decided_late:
        raise CaptureTooLate(period=split_row.period, last_day=last.isoformat())


def _trim(
    split_row: PriceSplit, held: Sequence[_Held], minutes_delivered: int | None
) -> list[tuple[int, int]]:
    """Return fen and minutes to capture of each held share, in the same order."""
    if minutes_delivered is None or minutes_delivered >= split_row.minutes:
        return [(h.share.fen, h.share.minutes) for h in held]
    shares = [
        Share(
            programme_code=h.share.programme_code,
            fen=h.share.fen,
            minutes=h.share.minutes,
            account_id=h.share.account_id,
            rate_fen_per_hour=h.share.rate_fen_per_hour,
        )
        for h in held
    ]
    kept = {
        s.account_id: s
        for s in trimmed(
            shares,
            price_fen=split_row.price_fen,
            planned_min=split_row.minutes,
            delivered_min=minutes_delivered,
        )
    }
    return [
        (kept[s.account_id].fen, kept[s.account_id].minutes) if s.account_id in kept else (0, 0)
        for s in shares
    ]


def _resolve(
    pending: Pending,
    period: str,
    visit_id: str,
    amount: int,
    payee: str,
    terms: str,
    held: _Held,
) -> Entry:
    posts = amount > 0
    return Entry(
        id=("post/" if posts else "void/") + pending.id.removeprefix("hold/"),
        kind="post" if posts else "void",
        code=held.share.programme_code,
        unit=pending.unit,
        debit=pending.debit,
        credit=payee if posts else pending.credit,
        amount=amount if posts else pending.amount,
        period=period,
        resolves=pending,
        work_order_id=held.share.work_order_id,
        visit_id=visit_id if posts else None,
        terms_sha256=terms if posts else None,
    )


def _captured_before(session: Session, work_order_id: str, visit_id: str) -> CaptureReceipt:
    state = _state(session, work_order_id)
    before = session.get(Redemption, work_order_id, populate_existing=True)
    if state == "captured" and before is not None and before.visit_id == visit_id:
        posts = session.execute(
            select(
                LedgerTransfer.id, LedgerTransfer.code, LedgerTransfer.unit, LedgerTransfer.amount
            )
            .where(LedgerTransfer.work_order_id == work_order_id, LedgerTransfer.kind == "post")
            .order_by(LedgerTransfer.serial)
        ).all()
        return _capture_receipt(
            work_order_id, visit_id, before.vendor_id, [(p[0], p[1], p[2], p[3]) for p in posts]
        )
    if state == "expected":
        raise HoldMissing(id=work_order_id)
    raise WrongState(id=work_order_id, state=state, expected=["held"])


def _capture_receipt(
    work_order_id: str,
    visit_id: str,
    vendor_id: str,
    posts: Sequence[tuple[str, str, str, int]],
) -> CaptureReceipt:
    by_programme: dict[str, int] = {}
    for _, code, unit, amount in posts:
        if unit == "fen":
            by_programme[code] = by_programme.get(code, 0) + amount
    return CaptureReceipt(
        work_order_id=work_order_id,
        visit_id=visit_id,
        vendor_id=vendor_id,
        price_fen=sum(by_programme.values()),
        fen_by_programme=by_programme,
        transfer_ids=tuple(p[0] for p in posts),
    )


def release(
    session: Session,
    *,
    work_order_id: str,
    at: datetime,
    reason: str,
    keep_fee_fen: int = 0,
    vendor_id: str | None = None,
    expire: bool = False,
) -> ReleaseReceipt:
    """Give a hold back; ``keep_fee_fen`` of own money goes to ``vendor_id``.

    ``reason`` is a stable code that the transfers keep (at most 16 characters). ``expire`` marks a
    hold that lapsed by itself. Repeating it returns the first answer; raises ``WrongState`` where the
    money was captured.
    """
    moved = _move_split(session, work_order_id, to="released", since="held")
    if moved is None:
        return _released_unheld(session, work_order_id)
    held = _held(session, [work_order_id])[work_order_id]
    entries = _voids(moved, held, reason, expire)
    accounts: list[Account] = []
    if keep_fee_fen and vendor_id:
        entries.append(_fee(moved, vendor_id, keep_fee_fen, accounts))
    open_accounts(session, accounts)
    post(session, entries, at=at)
    for e in entries:
        if e.resolves:
            _tell_outside(session, replace(e, code=_payer(e.debit, held)), "release", at)
    return ReleaseReceipt(
        work_order_id=work_order_id,
        state="released",
        released_fen=sum(h.share.fen for h in held),
        fee_fen=keep_fee_fen if vendor_id else 0,
    )


def release_many(
    session: Session,
    work_order_ids: Sequence[str],
    *,
    at: datetime,
    reason: str,
    expire: bool = False,
) -> list[ReleaseReceipt]:
    """Give many holds back in one grouped set of updates; those already released are left alone."""
    moved = []
    for work_order_id in sorted(work_order_ids):
        row = _move_split(session, work_order_id, to="released", since="held")
        if row is None:
            _released_unheld(session, work_order_id)
        else:
            moved.append(row)
    held = _held(session, [m.work_order_id for m in moved])
    entries: list[Entry] = []
    receipts = []
    for row in moved:
        of_row = held[row.work_order_id]
        entries.extend(_voids(row, of_row, reason, expire))
        receipts.append(
            ReleaseReceipt(row.work_order_id, "released", sum(h.share.fen for h in of_row), 0)
        )
    post(session, entries, at=at)
    payers = {h.fen.debit: h.share.programme_code for of in held.values() for h in of}
    for e in entries:
        _tell_outside(session, replace(e, code=payers.get(e.debit, e.code)), "release", at)
    return receipts


def _payer(debit: str, held: Sequence[_Held]) -> str:
    for h in held:
        if debit == h.fen.debit:
            return h.share.programme_code
    return ""


def _voids(split_row: PriceSplit, held: Sequence[_Held], reason: str, expire: bool) -> list[Entry]:
    kind = "expire" if expire else "void"
    return [
        Entry(
            id=f"{kind}/{p.id.removeprefix('hold/')}",
            kind=kind,
            code=reason[:16],
            unit=p.unit,
            debit=p.debit,
            credit=p.credit,
            amount=p.amount,
            period=split_row.period,
            resolves=p,
            work_order_id=split_row.work_order_id,
        )
        for h in held
        for p in (h.fen, h.minutes)
        if p
    ]


def _released_unheld(session: Session, work_order_id: str) -> ReleaseReceipt:
    """Release what was only expected, or answer a repeat."""
    if _move_split(session, work_order_id, to="released", since="expected") is not None:
        return ReleaseReceipt(work_order_id, "released", 0, 0)
    state = _state(session, work_order_id)
    if state != "released":
        raise WrongState(id=work_order_id, state=state, expected=["held"])
    fee = session.scalar(
        select(LedgerTransfer.amount).where(LedgerTransfer.id == f"fee/{work_order_id}")
    )
    freed = session.scalars(
        select(LedgerTransfer.amount).where(
            LedgerTransfer.work_order_id == work_order_id,
            LedgerTransfer.kind.in_(["void", "expire"]),
            LedgerTransfer.unit == "fen",
        )
    )
    return ReleaseReceipt(work_order_id, "released", sum(freed), fee or 0)


def _fee(split_row: PriceSplit, vendor_id: str, fen: int, accounts: list[Account]) -> Entry:
    owed = owed_account(split_row.elder_id)
    due = due_vendor(vendor_id, OWN)
    accounts.append(due)
    accounts.append(
        Account(
            id=owed,
            kind=AccountKind.OWED,
            unit="fen",
            programme_code=OWN,
            elder_id=split_row.elder_id,
            district_code=split_row.district_code,
        )
    )
    return Entry(
        id=f"fee/{split_row.work_order_id}",
        kind="direct",
        code="fee",
        unit="fen",
        debit=owed,
        credit=due.id,
        amount=fen,
        period=split_row.period,
        work_order_id=split_row.work_order_id,
    )


def capture_fee(
    session: Session, *, work_order_id: str, vendor_id: str, at: datetime, kind: str
) -> ReleaseReceipt:
    """Release a hold and charge the fee of ``late_cancel`` or ``no_access`` in own money.

    Late: a percentage of the own share. No access: the vendor's travel, at most so often a month for
    one elder; never from a voucher. Raises ``WrongState`` as ``release`` does.
    """
    row = session.get(PriceSplit, work_order_id, populate_existing=True)
    if row is None:
        raise NotFound(kind="price_split", id=work_order_id)
    terms = programmes.settings_on(row.use_on)
    if kind == "late_cancel":
        own = sum(
            s.fen for s in _shares(session, work_order_id, row.revision) if s.programme_code == OWN
        )
        fee = own * terms.late_cancel_percent_of_own // 100
    elif kind == "no_access":
        so_far = _no_access_fees(session, row.elder_id, row.period)
        fee = terms.no_access_fee_fen if so_far < terms.no_access_fees_per_month else 0
    else:
        raise ValueError(kind)
    return release(
        session,
        work_order_id=work_order_id,
        at=at,
        reason=kind,
        keep_fee_fen=fee,
        vendor_id=vendor_id,
    )


def _no_access_fees(session: Session, elder_id: str, period: str) -> int:
    fee, freed = aliased(LedgerTransfer), aliased(LedgerTransfer)
    rows = session.execute(
        select(fee.work_order_id)
        .join(freed, freed.work_order_id == fee.work_order_id)
        .where(
            fee.debit_account == owed_account(elder_id),
            fee.code == "fee",
            fee.period == period,
            freed.kind == "void",
            freed.code == "no_access",
        )
        .distinct()
    ).all()
    return len(rows)


def reverse(
    session: Session, *, work_order_id: str, at: datetime, reason: str, actor: str
) -> ReverseReceipt:
    """Mirror every captured entry of a work order, each naming its twin.

    Hours and vouchers return to their entitlement; where it has ended, to a replacement valid for
    the days that the settings say. The vendor's account is debited: its next statement gets a
    negative line. Repeating it returns the first answer; raises ``WrongState`` where nothing was
    captured. ``actor`` and ``reason`` stand in the caller's audit event.
    """
    row = _move_split(session, work_order_id, to="reversed", since="captured")
    if row is None:
        return _reversed_before(session, work_order_id)
    posts = list(
        session.scalars(
            select(LedgerTransfer)
            .where(LedgerTransfer.work_order_id == work_order_id, LedgerTransfer.kind == "post")
            .order_by(LedgerTransfer.serial)
        )
    )
    mirrors = [
        Entry(
            id=f"reversal/{p.id}",
            kind="reversal",
            code=p.code,
            unit=p.unit,
            debit=p.credit_account,
            credit=p.debit_account,
            amount=p.amount,
            period=str(Period.of(local(at).date())),
            reverses_id=p.id,
            work_order_id=work_order_id,
        )
        for p in posts
    ]
    replacements, moves = _replacements(session, row, posts, local(at).date())
    open_accounts(session, [account for account, _ in replacements])
    post(session, mirrors + moves, at=at)
    if replacements:
        session.execute(insert(Entitlement), [values for _, values in replacements])
    for m in mirrors:
        _tell_outside(session, m, "refund", at)
    return ReverseReceipt(
        work_order_id=work_order_id,
        reversed_fen=sum(p.amount for p in posts if p.unit == "fen"),
        replacements=tuple(account.id for account, _ in replacements),
    )


def _reversed_before(session: Session, work_order_id: str) -> ReverseReceipt:
    state = _state(session, work_order_id)
    if state != "reversed":
        raise WrongState(id=work_order_id, state=state, expected=["captured"])
    rows = session.execute(
        select(LedgerTransfer.amount, LedgerTransfer.unit, LedgerTransfer.kind, LedgerTransfer.code)
        .where(LedgerTransfer.work_order_id == work_order_id)
        .order_by(LedgerTransfer.serial)
    ).all()
    moved_to = session.scalars(
        select(LedgerTransfer.credit_account).where(
            LedgerTransfer.work_order_id == work_order_id, LedgerTransfer.code == "replacement"
        )
    )
    return ReverseReceipt(
        work_order_id=work_order_id,
        reversed_fen=sum(r.amount for r in rows if r.kind == "reversal" and r.unit == "fen"),
        replacements=tuple(moved_to),
    )


def _replacements(
    session: Session, row: PriceSplit, posts: Sequence[LedgerTransfer], today: date
) -> tuple[list[tuple[Account, dict[str, object]]], list[Entry]]:
    """Return new entitlements for reversed shares whose own has ended, and the moves that fill them."""
    made: list[tuple[Account, dict[str, object]]] = []
    moves: list[Entry] = []
    for p in posts:
        if not p.debit_account.startswith(("ent:", "day:")):
            continue
        source = _entitlement_behind(session, p)
        if source is None or source.ends_on >= today:
            continue
        sequence = 1 + max(
            session.scalars(
                select(Entitlement.sequence).where(
                    Entitlement.elder_id == source.elder_id,
                    Entitlement.slot == source.slot,
                    Entitlement.period == source.period,
                )
            )
        )
        days = programmes.settings_on(today).replacement_days
        account = Account(
            id=entitlement_account(source.slot, source.elder_id, source.period, sequence),
            kind=AccountKind.ENTITLEMENT,
            unit=source.unit,
            programme_code=source.programme_code,
            elder_id=source.elder_id,
            district_code=source.district_code,
            period=source.period,
        )
        values = entitlement_values(
            account_id=account.id,
            elder_id=source.elder_id,
            programme_code=source.programme_code,
            programme_version=source.programme_version,
            slot=source.slot,
            tier=source.tier,
            district_code=source.district_code,
            period=source.period,
            sequence=sequence,
            unit=source.unit,
            granted=p.amount,
            valid_from=today,
            ends_on=today + timedelta(days=days),
            replaces_id=source.account_id,
        )
        made.append((account, values))
        moves.append(
            Entry(
                id=f"replacement/{p.id}",
                kind="direct",
                code="replacement",
                unit=p.unit,
                debit=p.debit_account,
                credit=account.id,
                amount=p.amount,
                period=str(Period.of(today)),
                work_order_id=row.work_order_id,
                terms_sha256=entitlement_terms(values),
            )
        )
    return made, moves


def _entitlement_behind(session: Session, p: LedgerTransfer) -> Entitlement | None:
    if p.debit_account.startswith("ent:"):
        return session.get(Entitlement, p.debit_account)
    filled = session.scalar(
        select(LedgerTransfer.debit_account).where(
            LedgerTransfer.credit_account == p.debit_account, LedgerTransfer.code == "day"
        )
    )
    return session.get(Entitlement, filled) if filled else None


def entitlement_values(**values: object) -> dict[str, object]:
    """Return the row of an entitlement; what is not given is empty."""
    return {"grant_run_id": None, "replaces_id": None, "sequence": 0} | values


def entitlement_terms(values: dict[str, object]) -> str:
    """Return the hash of an entitlement's terms, kept by the transfer that fills it."""
    names = (
        "account_id",
        "elder_id",
        "programme_code",
        "programme_version",
        "slot",
        "tier",
        "district_code",
        "period",
        "sequence",
        "unit",
        "granted",
        "valid_from",
        "ends_on",
        "grant_run_id",
        "replaces_id",
    )
    return seal_terms(*(values[n] for n in names))


def shares_of(session: Session, work_order_id: str) -> tuple[ShareView, ...]:
    """Return who pays what of a work order, in the order of payers; raises ``NotFound``."""
    row = session.get(PriceSplit, work_order_id, populate_existing=True)
    if row is None:
        raise NotFound(kind="price_split", id=work_order_id)
    return tuple(
        ShareView(
            position=s.position,
            programme_code=s.programme_code,
            tier=s.tier,
            fen=s.fen,
            minutes=s.minutes,
            account_id=s.account_id,
            state=row.state,
        )
        for s in _shares(session, work_order_id, row.revision)
    )


def entries_of(session: Session, work_order_id: str) -> tuple[EntryView, ...]:
    """Return every ledger transfer of a work order in the order they were made."""
    rows = session.scalars(
        select(LedgerTransfer)
        .where(LedgerTransfer.work_order_id == work_order_id)
        .order_by(LedgerTransfer.serial)
    )
    return tuple(
        EntryView(
            serial=t.serial,
            id=t.id,
            kind=t.kind,
            code=t.code,
            unit=t.unit,
            debit_account=t.debit_account,
            credit_account=t.credit_account,
            amount=t.amount,
            pending_id=t.pending_id,
            reverses_id=t.reverses_id,
            visit_id=t.visit_id,
            period=t.period,
            at=t.at,
        )
        for t in rows
    )
