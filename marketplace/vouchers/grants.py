"""Granting a month: entitlements are made once, funded from the budget, in bulk.

Pure planning (``plan_grants``) apart from writing (``write_grants``); the release by a second person
stands in the workflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from marketplace.kernel.bulk import append
from marketplace.kernel.clock import Period
from marketplace.kernel.facts import Facts
from marketplace.vouchers import changes
from marketplace.vouchers.eligibility import best_of_slots
from marketplace.vouchers.ledger import (
    Account,
    Entry,
    debit_posted,
    open_accounts,
    post,
    shard_of,
)
from marketplace.vouchers.models import (
    AccountKind,
    Entitlement,
    LedgerAccount,
    LedgerTransfer,
)
from marketplace.vouchers.programmes import Book, Terms, Tier
from marketplace.vouchers.quotes import entitlement_account
from marketplace.vouchers.splits import entitlement_terms, entitlement_values


@dataclass(frozen=True, slots=True)
class Grant:
    """One entitlement to be made: ``amount`` in the programme's unit."""

    elder_id: str
    programme_code: str
    programme_version: date
    slot: str
    tier: str
    unit: str
    amount: int
    ends_on: date


def plan_grants(
    book: Book, people: Iterable[tuple[str, Facts]], period: Period, district_code: str
) -> Iterable[Grant]:
    """Yield the grants of a month for people of one district: one of each slot, the best."""
    terms = [
        t for t in book.all_terms(period.first, district_code) if t.grant in ("monthly", "outside")
    ]
    ends = {t.code: t.ends_on(period) for t in terms}
    # Rules decide on values alone: people who share one mapping of facts are decided once. The
    # mapping is kept beside its answer, so that no other can take its identity.
    decided: dict[int, tuple[Facts, list[tuple[Terms, Tier]]]] = {}
    for elder_id, facts in people:
        if id(facts) not in decided:
            decided[id(facts)] = (facts, best_of_slots(terms, facts))
        for t, tier in decided[id(facts)][1]:
            yield Grant(
                elder_id=elder_id,
                programme_code=t.code,
                programme_version=t.valid_from,
                slot=t.slot,
                tier=tier.name,
                unit=t.unit,
                amount=tier.amount,
                ends_on=ends[t.code],
            )


def fen_of(grant: Grant, terms: Terms) -> int:
    """Return what a grant binds of its budget: its fen, or its minutes at the contract rate."""
    return terms.fen_of_minutes(grant.amount) if grant.unit == "minutes" else grant.amount


@dataclass(frozen=True, slots=True)
class Had:
    """What an elder holds of a slot: programme and amount."""

    programme_code: str
    amount: int


def granted_to(
    session: Session, period: Period, whose: Select[tuple[str]]
) -> tuple[dict[tuple[str, str], Had], dict[tuple[str, str], Had]]:
    """Return the own grants of a month, and of the month before it, by (elder, slot).

    ``whose`` is a query of elders' ids. Where they were granted does not matter. One statement.
    """
    now: dict[tuple[str, str], Had] = {}
    before: dict[tuple[str, str], Had] = {}
    e = Entitlement
    for row in session.execute(
        select(e.elder_id, e.slot, e.period, e.programme_code, e.granted).where(
            e.period.in_([str(period), str(period.previous())]),
            e.sequence == 0,
            e.elder_id.in_(whose),
        )
    ):
        which = now if row[2] == str(period) else before
        which[(row[0], row[1])] = Had(row[3], row[4])
    return now, before


def write_grants(
    session: Session,
    grants: Sequence[Grant],
    *,
    period: Period,
    district_code: str,
    run_id: str,
    at: datetime,
) -> int:
    """Make the entitlements that do not exist yet; return how many were made."""
    done: set[tuple[str, str]] = set()
    elders = [g.elder_id for g in grants]
    for start in range(0, len(elders), 5000):
        rows = session.execute(
            select(Entitlement.elder_id, Entitlement.slot).where(
                Entitlement.period == str(period),
                Entitlement.sequence == 0,
                Entitlement.elder_id.in_(elders[start : start + 5000]),
            )
        )
        done.update((elder_id, slot) for elder_id, slot in rows)
    fresh = [g for g in grants if (g.elder_id, g.slot) not in done]
    return write_new_grants(
        session, fresh, period=period, district_code=district_code, run_id=run_id, at=at
    )


def write_new_grants(
    session: Session,
    grants: Sequence[Grant],
    *,
    period: Period,
    district_code: str,
    run_id: str,
    at: datetime,
) -> int:
    """Make entitlements that nobody made yet; return how many.

    Money comes from the programme's budget of the year in this district (``BudgetTooSmall`` when it
    does not suffice); outside programmes from what their system confirmed. Call it within one
    transaction; in chunks, where the list is long. Of two that make the same grants at once, the
    later one's transaction fails at the entitlements' unique key.
    """
    if not grants:
        return 0
    book = changes.book(session)
    terms = {
        g.programme_code: book.terms_of(g.programme_code, g.programme_version, district_code)
        for g in grants
    }
    sources = _open_sources(session, terms, grants, period, district_code, run_id, at)
    _insert(session, grants, sources, period, district_code, run_id, at)
    return len(grants)


def _open_sources(
    session: Session,
    terms: dict[str, Terms],
    grants: Sequence[Grant],
    period: Period,
    district_code: str,
    run_id: str,
    at: datetime,
) -> dict[str, str]:
    """Fund the grants and return the account from which each programme's entitlements are filled."""
    sources: dict[str, str] = {}
    needed: dict[str, int] = {}
    behind: dict[tuple[str, int], int] = {}
    first: dict[str, str] = {}
    for g in grants:
        t = terms[g.programme_code]
        first[t.code] = min(first.get(t.code, g.elder_id), g.elder_id)
        needed[t.code] = needed.get(t.code, 0) + fen_of(g, t)
        if t.unit == "minutes":
            key = (t.code, shard_of(g.elder_id))
            behind[key] = behind.get(key, 0) + fen_of(g, t)
    accounts: list[Account] = []
    for code, t in terms.items():
        kind = AccountKind.OUTSIDE if t.grant == "outside" else AccountKind.BUDGET
        if kind is AccountKind.BUDGET:
            open_budget(session, t, district_code, period.year, at)
            source = budget_account(code, district_code, period.year)
        else:
            source = f"outside:{code}:{district_code}"
            accounts.append(
                Account(source, kind, "fen", programme_code=code, district_code=district_code)
            )
        sources[code] = source
    entries = []
    for (code, shard), fen in sorted(behind.items()):
        fund = f"fund:{code}:{district_code}:{period}:{shard}"
        accounts.append(
            Account(
                fund,
                AccountKind.FUND,
                "fen",
                programme_code=code,
                district_code=district_code,
                period=str(period),
            )
        )
        entries.append(
            Entry(
                id=f"fund/{run_id}/{code}/{shard}/{first[code]}",
                kind="direct",
                code="fund",
                unit="fen",
                debit=sources[code],
                credit=fund,
                amount=fen,
                period=str(period),
            )
        )
    for code, t in terms.items():
        if t.unit == "minutes":
            mint = f"mint:{code}:{district_code}"
            accounts.append(
                Account(
                    mint,
                    AccountKind.MINT,
                    "minutes",
                    programme_code=code,
                    district_code=district_code,
                )
            )
            sources[code] = mint
    open_accounts(session, accounts)
    post(session, entries, at=at)
    return sources


def budget_account(programme_code: str, district_code: str, year: int) -> str:
    """Return the id of a programme's budget of a year in a district."""
    return f"budget:{programme_code}:{district_code}:{year}"


def open_budget(
    session: Session, terms: Terms, district_code: str, year: int, at: datetime
) -> None:
    """Open a year's budget with the appropriation that the programme file names, or move it to what a
    later version names; raises ``BudgetTooSmall`` where more than that was granted."""
    more = appropriation_due(session, terms, district_code, year)
    if not more:
        return
    treasury = Account(
        f"treasury:{district_code}", AccountKind.TREASURY, "fen", district_code=district_code
    )
    budget = Account(
        budget_account(terms.code, district_code, year),
        AccountKind.BUDGET,
        "fen",
        programme_code=terms.code,
        district_code=district_code,
        period=str(year),
    )
    open_accounts(session, [treasury, budget])
    debit, credit = (treasury, budget) if more > 0 else (budget, treasury)
    entry = Entry(
        # Of two that appropriate by one version at once the second is refused by this name.
        id=f"budget/{terms.code}/{district_code}/{year}/{terms.valid_from}",
        kind="direct",
        code="appropriation",
        unit="fen",
        debit=debit.id,
        credit=credit.id,
        amount=abs(more),
        period=f"{year}-01",
    )
    post(session, [entry], at=at)


def appropriation_due(session: Session, terms: Terms, district_code: str, year: int) -> int:
    """Return the fen by which a year's budget is to grow (shrink, below zero) to what the terms name.

    Nothing where they name none, or where a later version has named it: who is granted a past month
    afterwards brings no old budget back.
    """
    if not terms.budget_fen_per_year:
        return 0
    budget = budget_account(terms.code, district_code, year)
    t = LedgerTransfer
    known = changes.book(session).versions(terms.code, district_code)
    # By their names, of which there are few: the budget itself has a transfer for each grant. Before
    # versions were named the year's first was 0.
    names = ["0", *(v.valid_from.isoformat() for v in known)]
    made = session.execute(
        select(t.id, t.credit_account, t.amount).where(
            t.id.in_([f"budget/{terms.code}/{district_code}/{year}/{name}" for name in names])
        )
    ).all()
    versions = [row.id.rpartition("/")[2] for row in made]
    if versions and max(versions) >= terms.valid_from.isoformat():
        return 0
    had = sum(row.amount if row.credit_account == budget else -row.amount for row in made)
    return terms.budget_fen_per_year - had


_ACCOUNT = (
    "id",
    "kind",
    "unit",
    "programme_code",
    "elder_id",
    "district_code",
    "period",
    "guarded",
    "debits_pending",
    "debits_posted",
    "credits_pending",
    "credits_posted",
)
_TRANSFER = (
    "id",
    "kind",
    "code",
    "unit",
    "debit_account",
    "credit_account",
    "amount",
    "period",
    "terms_sha256",
    "at",
)


def _insert(
    session: Session,
    grants: Sequence[Grant],
    sources: dict[str, str],
    period: Period,
    district_code: str,
    run_id: str,
    at: datetime,
) -> None:
    """Insert accounts that begin with their grant, the transfers that say so, and the entitlements."""
    accounts: list[tuple[object, ...]] = []
    transfers: list[tuple[object, ...]] = []
    entitlements: list[tuple[object, ...]] = []
    out_of: dict[str, int] = {}
    month, kind = str(period), AccountKind.ENTITLEMENT.value
    columns: list[str] = []
    for g in grants:
        account_id = entitlement_account(g.slot, g.elder_id, period)
        source = sources[g.programme_code]
        out_of[source] = out_of.get(source, 0) + g.amount
        values = entitlement_values(
            account_id=account_id,
            elder_id=g.elder_id,
            programme_code=g.programme_code,
            programme_version=g.programme_version,
            slot=g.slot,
            tier=g.tier,
            district_code=district_code,
            period=month,
            unit=g.unit,
            granted=g.amount,
            valid_from=period.first,
            ends_on=g.ends_on,
            grant_run_id=run_id,
        )
        columns = columns or list(values)
        entitlements.append(tuple(values.values()))
        opened = (account_id, kind, g.unit, g.programme_code, g.elder_id, district_code, month)
        accounts.append((*opened, True, 0, 0, 0, g.amount))
        said = (f"grant/{account_id.removeprefix('ent:')}", "direct", "grant", g.unit)
        terms = entitlement_terms(values)
        transfers.append((*said, source, account_id, g.amount, month, terms, at))
    debit_posted(session, out_of)
    append(session, LedgerAccount, _ACCOUNT, accounts)
    append(session, LedgerTransfer, _TRANSFER, transfers)
    append(session, Entitlement, columns, entitlements)


def free_of(session: Session, account_ids: Sequence[str]) -> dict[str, int]:
    """Return what guarded accounts have left."""
    a = LedgerAccount
    rows = session.execute(
        select(a.id, func.sum(a.credits_posted - a.debits_posted - a.debits_pending))
        .where(a.id.in_(account_ids))
        .group_by(a.id)
    )
    return {row[0]: int(row[1]) for row in rows}
