"""Redeeming a hold on the evidence of a visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period, local
from marketplace.kernel.errors import WrongState
from marketplace.vouchers import changes, programmes
from marketplace.vouchers.ledger import (
    Account,
    Entry,
    Pending,
    open_accounts,
    post,
)
from marketplace.vouchers.models import (
    LedgerAccount,
    LedgerTransfer,
    PriceSplit,
    Redemption,
)
from marketplace.vouchers.quotes import rate_percent
from marketplace.vouchers.receipts import (
    CaptureReceipt,
    CaptureTooLate,
    HoldMissing,
    PackageNotDelivered,
)
from marketplace.vouchers.split import Manner, Share, trimmed
from marketplace.vouchers.splits import (
    Held,
    Split,
    due_vendor,
    held_of,
    move_split,
    redemption_terms,
    state_of,
    tell_outside,
)
from marketplace.vouchers.terms import Terms


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
    split_row = move_split(session, work_order_id, to="captured", since="held")
    if split_row is None:
        return _captured_before(session, work_order_id, visit_id)
    _refuse_late(split_row, at, decided_late)
    held = held_of(session, [work_order_id], vendor_id=vendor_id)[work_order_id]
    if not decided_late:
        _refuse_undelivered(session, split_row, held)
    manners = {} if minutes_delivered is None else _manners(session, split_row, held)
    planned = _plan(split_row, held, visit_id, vendor_id, minutes_delivered, at, manners)
    _write(session, [planned], at)
    return planned.receipt


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """One work order to be captured in full, its visit and the vendor who served."""

    work_order_id: str
    visit_id: str
    vendor_id: str


def capture_many(
    session: Session, requests: Sequence[CaptureRequest], *, at: datetime
) -> list[CaptureReceipt]:
    """Capture many in one grouped set of updates; return the receipts of those that were held.

    What is not held (captured before, released, expected), is too late or lacks the month's visits is
    left alone.
    """
    wanted = {r.work_order_id: r for r in requests}
    ids = sorted(wanted)
    rows: dict[str, PriceSplit] = {}
    for start in range(0, len(ids), 2000):
        for row in session.scalars(
            select(PriceSplit)
            .where(PriceSplit.work_order_id.in_(ids[start : start + 2000]))
            .where(PriceSplit.state == "held")
            .order_by(PriceSplit.work_order_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ):
            if not _is_late(row, at) and not _is_undelivered(session, row):
                rows[row.work_order_id] = row
    mine = list(rows)
    for start in range(0, len(mine), 2000):
        session.execute(
            update(PriceSplit)
            .where(
                PriceSplit.work_order_id.in_(mine[start : start + 2000]),
                PriceSplit.state == "held",
            )
            .values(state="captured")
            .execution_options(synchronize_session=False)
        )
    held = held_of(session, mine)
    planned = [
        _plan(row, held[i], wanted[i].visit_id, wanted[i].vendor_id, None, at, {})
        for i, row in rows.items()
    ]
    _write(session, planned, at)
    return [p.receipt for p in planned]


@dataclass(frozen=True, slots=True)
class _Planned:
    """Everything that one capture writes."""

    redemption: dict[str, object]
    accounts: list[Account]
    entries: list[Entry]
    receipt: CaptureReceipt


def _plan(
    split_row: Split,
    held: Sequence[Held],
    visit_id: str,
    vendor_id: str,
    minutes_delivered: int | None,
    at: datetime,
    manners: Mapping[str, Manner],
) -> _Planned:
    due = _trim(split_row, held, minutes_delivered, manners)
    redemption: dict[str, object] = {
        "work_order_id": split_row.work_order_id,
        "visit_id": visit_id,
        "vendor_id": vendor_id,
        "period": split_row.period,
        "price_fen": sum(fen for fen, _ in due),
        "minutes_delivered": minutes_delivered,
    }
    terms = redemption_terms(**redemption)  # type: ignore[arg-type]
    entries: list[Entry] = []
    accounts: list[Account] = []
    for h, (fen, minutes) in zip(held, due, strict=True):
        account = due_vendor(vendor_id, h.share.programme_code)
        if fen and not h.is_due_open:
            accounts.append(account)
        entries.append(_resolve(h.fen, split_row.period, visit_id, fen, account.id, terms, h))
        if h.minutes:
            entries.append(
                _resolve(h.minutes, split_row.period, visit_id, minutes, h.minutes.credit, terms, h)
            )
    posts = [(e.id, e.code, e.unit, e.amount) for e in entries if e.kind == "post"]
    receipt = _capture_receipt(split_row.work_order_id, visit_id, vendor_id, posts)
    return _Planned(redemption | {"at": at}, accounts, entries, receipt)


_REDEEM = insert(Redemption.__table__)  # type: ignore[arg-type]


def _write(session: Session, planned: Sequence[_Planned], at: datetime) -> None:
    if not planned:
        return
    session.connection().execute(_REDEEM, [p.redemption for p in planned])
    open_accounts(session, [a for p in planned for a in p.accounts])
    entries = [e for p in planned for e in p.entries]
    post(session, entries, at=at)
    for e in entries:
        tell_outside(session, e, "capture" if e.kind == "post" else "release", at)


def _last_day(split_row: Split) -> date:
    grace = programmes.settings_on(split_row.use_on).capture_grace_days
    return Period.parse(split_row.period).last + timedelta(days=grace)


def _is_late(split_row: Split, at: datetime) -> bool:
    return local(at).date() > _last_day(split_row)


def _refuse_late(split_row: Split, at: datetime, decided_late: bool) -> None:
    if _is_late(split_row, at) and not decided_late:
        raise CaptureTooLate(period=split_row.period, last_day=_last_day(split_row).isoformat())


PACKAGE_UNIT = "月"
"""What a month's package is billed in; only such services are asked for the month's other visits."""


def _refuse_undelivered(session: Session, split_row: Split, held: Sequence[Held]) -> None:
    """Raise ``PackageNotDelivered`` where a payer asks for visits of the month that are not there.

    What counts is redeemed in the month, the package itself left out. Source: the programme's
    ``least_visits`` and ``least_minutes``, of which one suffices; one that is not said suffices for nothing.
    """
    if split_row.sold.get("unit") != PACKAGE_UNIT:
        return
    for terms in _terms_of(session, split_row, held).values():
        if not (terms.least_visits or terms.least_minutes):
            continue
        visits, minutes = _delivered(session, split_row)
        asked = ((visits, terms.least_visits), (minutes, terms.least_minutes))
        if not any(least and had >= least for had, least in asked):
            raise PackageNotDelivered(
                visits=visits,
                minutes=minutes,
                least_visits=terms.least_visits,
                least_minutes=terms.least_minutes,
            )


def _is_undelivered(session: Session, split_row: Split) -> bool:
    if split_row.sold.get("unit") != PACKAGE_UNIT:
        return False
    held = held_of(session, [split_row.work_order_id])[split_row.work_order_id]
    try:
        _refuse_undelivered(session, split_row, held)
    except PackageNotDelivered:
        return True
    return False


def _delivered(session: Session, split_row: Split) -> tuple[int, int]:
    """Return the visits and minutes redeemed for an elder in a month, besides one work order."""
    visits, minutes = session.execute(
        select(
            func.count(),
            func.sum(func.coalesce(Redemption.minutes_delivered, PriceSplit.minutes)),
        )
        .join(PriceSplit, PriceSplit.work_order_id == Redemption.work_order_id)
        .where(
            PriceSplit.elder_id == split_row.elder_id,
            PriceSplit.period == split_row.period,
            PriceSplit.state == "captured",
            PriceSplit.work_order_id != split_row.work_order_id,
        )
    ).one()
    return int(visits), int(minutes or 0)


def _trim(
    split_row: Split,
    held: Sequence[Held],
    minutes_delivered: int | None,
    manners: Mapping[str, Manner],
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
            manners=manners,
        )
    }
    return [
        (kept[s.account_id].fen, kept[s.account_id].minutes) if s.account_id in kept else (0, 0)
        for s in shares
    ]


def _terms_of(session: Session, split_row: Split, held: Sequence[Held]) -> dict[str, Terms]:
    """Return by account the terms that each payer's share was made by: those of the granting district."""
    book = changes.book(session)
    a = LedgerAccount
    accounts = [h.share.account_id for h in held if h.share.programme_version is not None]
    granted_in = {
        row[0]: row[1]
        for row in session.execute(select(a.id, a.district_code).where(a.id.in_(accounts)))
    }
    return {
        s.account_id: book.terms_of(
            s.programme_code,
            s.programme_version,
            granted_in.get(s.account_id) or split_row.district_code,
        )
        for s in (h.share for h in held)
        if s.programme_version is not None
    }


def _manners(session: Session, split_row: Split, held: Sequence[Held]) -> dict[str, Manner]:
    """Return by account how each payer may pay, by the terms that its share was made by."""
    found: dict[str, Manner] = {}
    for account_id, terms in _terms_of(session, split_row, held).items():
        percent = None
        if terms.kind == "rate":
            sold = split_row.sold
            percent = rate_percent(terms, code=sold["service_code"], mode=sold["mode"]) or 0
        found[account_id] = Manner(terms.block_min or 1, terms.step_fen, percent)
    return found


def _resolve(
    pending: Pending,
    period: str,
    visit_id: str,
    amount: int,
    payee: str,
    terms: str,
    held: Held,
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
    state = state_of(session, work_order_id)
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
