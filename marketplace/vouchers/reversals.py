"""Mirroring what was captured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period, local
from marketplace.kernel.errors import WrongState
from marketplace.vouchers import changes, programmes
from marketplace.vouchers.lapses import home_of
from marketplace.vouchers.ledger import (
    Account,
    Entry,
    open_accounts,
    post,
)
from marketplace.vouchers.models import (
    AccountKind,
    Entitlement,
    LedgerTransfer,
)
from marketplace.vouchers.quotes import (
    entitlement_account,
)
from marketplace.vouchers.receipts import (
    ReverseReceipt,
)
from marketplace.vouchers.splits import (
    Split,
    entitlement_terms,
    entitlement_values,
    move_split,
    one_purse_at_a_time,
    state_of,
    tell_outside,
)


def reversed_fen(session: Session, work_order_ids: Collection[str]) -> int:
    """Return how much money of work orders was taken back, in fen."""
    t = LedgerTransfer
    total = session.scalar(
        select(func.sum(t.amount)).where(
            t.work_order_id.in_(work_order_ids), t.kind == "reversal", t.unit == "fen"
        )
    )
    return int(total or 0)


def reverse(
    session: Session, *, work_order_id: str, at: datetime, reason: str, actor: str
) -> ReverseReceipt:
    """Mirror every captured entry of a work order, each naming its twin.

    Hours and vouchers return to their entitlement; where it has ended, to a replacement valid for
    the days that the settings say. The vendor's account is debited: its next statement gets a
    negative line. Repeating it returns the first answer; raises ``WrongState`` where nothing was
    captured. ``actor`` and ``reason`` stand in the caller's audit event.
    """
    row = move_split(session, work_order_id, to="reversed", since="captured")
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
    moves += _backing(session, posts, local(at).date())
    open_accounts(session, [account for account, _ in replacements])
    post(session, mirrors + moves, at=at)
    if replacements:
        session.execute(insert(Entitlement), [values for _, values in replacements])
    for m in mirrors:
        tell_outside(session, m, "refund", at)
    return ReverseReceipt(
        work_order_id=work_order_id,
        reversed_fen=sum(p.amount for p in posts if p.unit == "fen"),
        replacements=tuple(account.id for account, _ in replacements),
    )


def _reversed_before(session: Session, work_order_id: str) -> ReverseReceipt:
    state = state_of(session, work_order_id)
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
    session: Session, row: Split, posts: Sequence[LedgerTransfer], today: date
) -> tuple[list[tuple[Account, dict[str, object]]], list[Entry]]:
    """Return new entitlements for reversed shares whose own has ended, and the moves that fill them."""
    made: list[tuple[Account, dict[str, object]]] = []
    moves: list[Entry] = []
    taken: dict[tuple[str, str], int] = {}
    sources = [(p, source) for p in posts if (source := _entitlement_behind(session, p))]
    # A second reversal for the same elder waits here, else both would take the same number.
    for slot in sorted({source.slot for _, source in sources if source.ends_on < today}):
        one_purse_at_a_time(session, row.elder_id, slot)
    for p, source in sources:
        if source.ends_on >= today:
            if p.debit_account != source.account_id and row.use_on < today:
                moves.append(_back_to_the_month(p, source, row, today))
            continue
        # Two shares may have come from two grants of one slot and month: each gets a number of its own.
        last = taken.get((source.slot, source.period)) or _last_sequence(session, source)
        sequence = taken[source.slot, source.period] = last + 1
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


def _backing(session: Session, posts: Sequence[LedgerTransfer], today: date) -> list[Entry]:
    """Return the moves that put full fen behind minutes which go back to a month that is over.

    The visit may have cost less than its minutes are worth; what was left of that is swept into the
    budget when a month has ended, and comes from there again.
    """
    by_id = {p.id: p for p in posts}
    book = changes.book(session)
    moves = []
    for p in posts:
        source = session.get(Entitlement, p.debit_account) if p.unit == "minutes" else None
        fund = by_id.get(p.id.removesuffix("/min"))
        if source is None or fund is None or Period.parse(source.period).last >= today:
            continue
        terms = book.terms_of(source.programme_code, source.programme_version, source.district_code)
        missing = terms.fen_of_minutes(p.amount) - fund.amount
        if missing > 0:
            moves.append(
                Entry(
                    id=f"backing/{p.id}",
                    kind="direct",
                    code="backing",
                    unit="fen",
                    debit=home_of(terms, source.district_code, int(source.period[:4])),
                    credit=fund.debit_account,
                    amount=missing,
                    period=str(Period.of(today)),
                    work_order_id=p.work_order_id,
                )
            )
    return moves


def _last_sequence(session: Session, source: Entitlement) -> int:
    """Return the highest sequence among the elder's grants of a slot and month."""
    return max(
        session.scalars(
            select(Entitlement.sequence).where(
                Entitlement.elder_id == source.elder_id,
                Entitlement.slot == source.slot,
                Entitlement.period == source.period,
            )
        )
    )


def _back_to_the_month(p: LedgerTransfer, source: Entitlement, row: Split, today: date) -> Entry:
    """Return the move from a day that has passed to the month that it was taken from."""
    return Entry(
        id=f"return/{p.id}",
        kind="direct",
        code="return",
        unit=p.unit,
        debit=p.debit_account,
        credit=source.account_id,
        amount=p.amount,
        period=str(Period.of(today)),
        work_order_id=row.work_order_id,
    )


def _entitlement_behind(session: Session, p: LedgerTransfer) -> Entitlement | None:
    if p.debit_account.startswith("ent:"):
        return session.get(Entitlement, p.debit_account)
    if not p.debit_account.startswith("day:"):
        return None
    filled = session.scalar(
        select(LedgerTransfer.debit_account).where(
            LedgerTransfer.credit_account == p.debit_account, LedgerTransfer.code == "day"
        )
    )
    return session.get(Entitlement, filled) if filled else None
