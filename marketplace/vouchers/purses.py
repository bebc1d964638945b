"""Purses outside the month's grants: a grant on application, the charity purse, hours of helping.

Each call works in the caller's transaction. What may not happen twice is refused by the database: a
home's grant by a guarded upsert, a purse's fillings by the entitlement's unique sequence.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period, local
from marketplace.kernel.errors import DomainError
from marketplace.vouchers.grants import budget_account, open_budget
from marketplace.vouchers.ledger import Account, Entry, open_accounts, post
from marketplace.vouchers.models import (
    AccountKind,
    Entitlement,
    HomeGrant,
    LedgerAccount,
    LedgerTransfer,
)
from marketplace.vouchers.payouts import bank_account
from marketplace.vouchers.quotes import entitlement_account
from marketplace.vouchers.splits import (
    entitlement_terms,
    entitlement_values,
    one_purse_at_a_time,
)
from marketplace.vouchers.terms import Terms, Tier


class GrantedBefore(DomainError):
    """The home had this grant within its years. Facts: ``programme``, ``last_on``, ``years``."""


class NoHours(DomainError):
    """Nobody credited hours to this person. Facts: ``elder_id``."""


class HoursCapped(DomainError):
    """More hours than one person may keep. Facts: ``held_minutes``, ``cap_minutes``."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A purse that was filled: its account, and fen or minutes by where they come from."""

    account_id: str
    own: int
    gift: int
    ends_on: date


def home_sha256(district_code: str, address: str) -> str:
    """Return the hash by which a home is known: its address without spaces, in one width."""
    plain = "".join(unicodedata.normalize("NFKC", address).split()).casefold()
    return hashlib.sha256(f"{district_code}|{plain}".encode()).hexdigest()


def take_home(session: Session, terms: Terms, *, home: str, on: date) -> None:
    """Note that a home gets a grant today; raises ``GrantedBefore`` within the programme's years."""
    dialect = session.get_bind().dialect.name
    into = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = into(HomeGrant).values(programme_code=terms.code, home_sha256=home, last_on=on)
    taken = session.execute(
        statement.on_conflict_do_update(
            index_elements=["programme_code", "home_sha256"],
            set_={"last_on": on},
            where=HomeGrant.last_on <= _years_before(on, terms.once_years),
        ).returning(HomeGrant.home_sha256)
    ).first()
    if taken is None:
        last = session.get_one(HomeGrant, (terms.code, home)).last_on
        raise GrantedBefore(programme=terms.code, last_on=last.isoformat(), years=terms.once_years)


def _years_before(on: date, years: int) -> date:
    try:
        return on.replace(year=on.year - years)
    except ValueError:
        return date(on.year - years, 2, 28)


def award(
    session: Session, terms: Terms, tier: Tier, *, elder_id: str, district_code: str, at: datetime
) -> Filled:
    """Fill a purse from the programme's budget of the year; ``BudgetTooSmall`` where it is empty."""
    one_purse_at_a_time(session, elder_id, terms.slot)
    today = local(at).date()
    open_budget(session, terms, district_code, today.year, at)
    budget = budget_account(terms.code, district_code, today.year)
    values = _open_purse(session, terms, elder_id, district_code, tier.amount, today, tier.name)
    account_id = str(values["account_id"])
    seal = entitlement_terms(values)
    post(session, [_fill("award", "fen", budget, account_id, tier.amount, today, seal)], at=at)
    session.execute(insert(Entitlement), [values])
    return Filled(account_id, 0, tier.amount, terms.ends_on(Period.of(today)))


def top_up(
    session: Session, terms: Terms, *, elder_id: str, district_code: str, fen: int, at: datetime
) -> Filled:
    """Put an elder's own money into the charity purse, with the gift that the terms add to it.

    The gift is a percentage of the money, rounded down, until the year's cap for this elder is used.
    """
    one_purse_at_a_time(session, elder_id, terms.slot)
    today = local(at).date()
    given = _gifts_of(session, terms, elder_id, today.year)
    most = max(terms.gift_cap_fen_per_year - given, 0)
    gift = min(fen * terms.gift_percent // 100, most)
    bank = bank_account(district_code)
    charity = Account(
        gift_account(terms.code, district_code),
        AccountKind.GIFT,
        "fen",
        programme_code=terms.code,
        district_code=district_code,
    )
    values = _open_purse(session, terms, elder_id, district_code, fen + gift, today)
    open_accounts(session, [bank, charity])
    account_id = str(values["account_id"])
    seal = entitlement_terms(values)
    entries = [_fill("top_up", "fen", bank.id, account_id, fen, today, seal)]
    if gift:
        entries.append(_fill("gift", "fen", charity.id, account_id, gift, today, seal))
    post(session, entries, at=at)
    session.execute(insert(Entitlement), [values])
    return Filled(account_id, fen, gift, terms.ends_on(Period.of(today)))


def gift_account(programme_code: str, district_code: str) -> str:
    """Return the id of the account that a charity purse's gifts come from."""
    return f"gift:{programme_code}:{district_code}"


def _gifts_of(session: Session, terms: Terms, elder_id: str, year: int) -> int:
    """Return the gifts of a calendar year; by the purse's month, which is the month of the filling."""
    given = session.scalar(
        select(func.sum(LedgerTransfer.amount))
        .join(Entitlement, Entitlement.account_id == LedgerTransfer.credit_account)
        .where(
            LedgerTransfer.code == "gift",
            Entitlement.elder_id == elder_id,
            Entitlement.slot == terms.slot,
            Entitlement.period.startswith(f"{year:04d}-"),
        )
    )
    return int(given or 0)


def earn_hours(
    session: Session, terms: Terms, *, elder_id: str, district_code: str, minutes: int, at: datetime
) -> Filled:
    """Credit verified hours of helping; raises ``HoursCapped`` beyond what one person may keep."""
    one_purse_at_a_time(session, elder_id, terms.slot)
    today = local(at).date()
    _refuse_over_cap(session, terms, elder_id, minutes)
    mint = _mint(terms, district_code)
    values = _open_purse(session, terms, elder_id, district_code, minutes, today)
    open_accounts(session, [mint])
    account_id = str(values["account_id"])
    seal = entitlement_terms(values)
    post(session, [_fill("award", "minutes", mint.id, account_id, minutes, today, seal)], at=at)
    session.execute(insert(Entitlement), [values])
    return Filled(account_id, minutes, 0, terms.ends_on(Period.of(today)))


def give_hours(
    session: Session,
    terms: Terms,
    *,
    from_elder_id: str,
    to_elder_id: str,
    district_code: str,
    minutes: int,
    at: datetime,
) -> Filled:
    """Give earned hours to kin, the oldest first.

    Raises ``EntitlementTooSmall`` where the giver has fewer, ``HoursCapped`` where the kin would
    keep more than one person may.
    """
    for elder_id in sorted((from_elder_id, to_elder_id)):
        one_purse_at_a_time(session, elder_id, terms.slot)
    today = local(at).date()
    _refuse_over_cap(session, terms, to_elder_id, minutes)
    values = _open_purse(session, terms, to_elder_id, district_code, minutes, today)
    # What lapses there one day goes back to that district's mint.
    open_accounts(session, [_mint(terms, district_code)])
    account_id = str(values["account_id"])
    seal = entitlement_terms(values)
    rest = minutes
    entries = []
    purses = _purses_of(session, terms, from_elder_id)
    for number, (purse, free) in enumerate(purses):
        # What is missing at the end falls on the last purse, which refuses it.
        part = rest if number == len(purses) - 1 else min(rest, free)
        if part:
            entries.append(_fill("gift", "minutes", purse, account_id, part, today, seal))
            rest -= part
    if rest:
        raise NoHours(elder_id=from_elder_id)
    post(session, entries, at=at)
    session.execute(insert(Entitlement), [values])
    return Filled(account_id, 0, minutes, terms.ends_on(Period.of(today)))


def _mint(terms: Terms, district_code: str) -> Account:
    return Account(
        f"mint:{terms.code}:{district_code}",
        AccountKind.MINT,
        "minutes",
        programme_code=terms.code,
        district_code=district_code,
    )


_FREE = LedgerAccount.credits_posted - LedgerAccount.debits_posted - LedgerAccount.debits_pending


def _purses_of(session: Session, terms: Terms, elder_id: str) -> list[tuple[str, int]]:
    rows = session.execute(
        select(Entitlement.account_id, _FREE)
        .join(LedgerAccount, LedgerAccount.id == Entitlement.account_id)
        .where(Entitlement.elder_id == elder_id, Entitlement.slot == terms.slot)
        .order_by(Entitlement.period, Entitlement.sequence)
    )
    return [(row[0], int(row[1])) for row in rows]


def _refuse_over_cap(session: Session, terms: Terms, elder_id: str, minutes: int) -> None:
    held = sum(free for _, free in _purses_of(session, terms, elder_id))
    if held + minutes > terms.cap_minutes:
        raise HoursCapped(held_minutes=held, cap_minutes=terms.cap_minutes)


def _open_purse(
    session: Session,
    terms: Terms,
    elder_id: str,
    district_code: str,
    amount: int,
    today: date,
    tier: str | None = None,
) -> dict[str, object]:
    """Open the account of the month's next filling and return its entitlement's row."""
    period = Period.of(today)
    last = session.scalar(
        select(func.max(Entitlement.sequence)).where(
            Entitlement.elder_id == elder_id,
            Entitlement.slot == terms.slot,
            Entitlement.period == str(period),
        )
    )
    sequence = 0 if last is None else last + 1
    account = Account(
        entitlement_account(terms.slot, elder_id, period, sequence),
        AccountKind.ENTITLEMENT,
        terms.unit,
        programme_code=terms.code,
        elder_id=elder_id,
        district_code=district_code,
        period=str(period),
    )
    open_accounts(session, [account])
    return entitlement_values(
        account_id=account.id,
        elder_id=elder_id,
        programme_code=terms.code,
        programme_version=terms.valid_from,
        slot=terms.slot,
        tier=tier or terms.tiers[0].name,
        district_code=district_code,
        period=str(period),
        sequence=sequence,
        unit=terms.unit,
        granted=amount,
        valid_from=today,
        ends_on=terms.ends_on(period),
    )


def _fill(
    code: str, unit: str, debit: str, credit: str, amount: int, today: date, seal: str
) -> Entry:
    tail = f"/{debit.removeprefix('ent:')}" if debit.startswith("ent:") else ""
    return Entry(
        id=f"{code}/{credit.removeprefix('ent:')}{tail}",
        kind="direct",
        code=code,
        unit=unit,
        debit=debit,
        credit=credit,
        amount=amount,
        period=str(Period.of(today)),
        terms_sha256=seal,
    )
