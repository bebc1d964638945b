"""Granting a month: entitlements are made once, funded from the budget, in bulk.

Pure planning (``plan_grants``) apart from writing (``write_grants``); the release by a second person
stands in the workflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period
from marketplace.kernel.facts import Facts
from marketplace.vouchers import programmes
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
from marketplace.vouchers.programmes import Terms, Tier
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
    people: Iterable[tuple[str, Facts]], period: Period, district_code: str
) -> Iterable[Grant]:
    """Yield the grants of a month for people of one district: one of each slot, the best."""
    terms = [
        t
        for t in programmes.all_terms(period.first, district_code)
        if t.grant in ("monthly", "outside")
    ]
    ends = {t.code: t.ends_on(period) for t in terms}
    # Rules decide on values alone: people whose facts are alike are decided once.
    decided: dict[tuple[tuple[str, object], ...], list[tuple[Terms, Tier]]] = {}
    for elder_id, facts in people:
        alike = tuple((name, fact.value) for name, fact in facts.items())
        if alike not in decided:
            decided[alike] = best_of_slots(terms, facts)
        for t, tier in decided[alike]:
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


def already_granted(
    session: Session, period: Period, elders: Sequence[str]
) -> set[tuple[str, str]]:
    """Return (elder, slot) of the month's own grants that exist."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(elders), 5000):
        rows = session.execute(
            select(Entitlement.elder_id, Entitlement.slot).where(
                Entitlement.period == str(period),
                Entitlement.sequence == 0,
                Entitlement.elder_id.in_(elders[start : start + 5000]),
            )
        )
        found.update((elder_id, slot) for elder_id, slot in rows)
    return found


def granted_in(
    session: Session, period: Period, elders: Sequence[str]
) -> dict[tuple[str, str], tuple[str, int]]:
    """Return (elder, slot) -> (programme, amount) of a month's own grants."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for start in range(0, len(elders), 5000):
        for row in session.execute(
            select(
                Entitlement.elder_id,
                Entitlement.slot,
                Entitlement.programme_code,
                Entitlement.granted,
            ).where(
                Entitlement.period == str(period),
                Entitlement.sequence == 0,
                Entitlement.elder_id.in_(elders[start : start + 5000]),
            )
        ):
            found[(row[0], row[1])] = (row[2], row[3])
    return found


def write_grants(
    session: Session,
    grants: Sequence[Grant],
    *,
    period: Period,
    district_code: str,
    run_id: str,
    at: datetime,
) -> int:
    """Make the entitlements that do not exist yet; return how many were made.

    Money comes from the programme's budget of the year in this district (``BudgetTooSmall`` when it
    does not suffice); outside programmes from what their system confirmed. Call it within one
    transaction; in chunks, where the list is long.
    """
    done = already_granted(session, period, [g.elder_id for g in grants])
    fresh = [g for g in grants if (g.elder_id, g.slot) not in done]
    if not fresh:
        return 0
    terms = {
        g.programme_code: programmes.terms_of(g.programme_code, g.programme_version, district_code)
        for g in fresh
    }
    sources = _open_sources(session, terms, fresh, period, district_code, run_id, at)
    _insert(session, fresh, sources, period, district_code, run_id, at)
    return len(fresh)


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
    for g in grants:
        t = terms[g.programme_code]
        needed[t.code] = needed.get(t.code, 0) + fen_of(g, t)
        if t.unit == "minutes":
            key = (t.code, shard_of(g.elder_id))
            behind[key] = behind.get(key, 0) + fen_of(g, t)
    accounts: list[Account] = []
    for code, t in terms.items():
        kind = AccountKind.OUTSIDE if t.grant == "outside" else AccountKind.BUDGET
        if kind is AccountKind.BUDGET:
            _open_budget(session, t, district_code, period.year, at)
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
        first = min(g.elder_id for g in grants if g.programme_code == code)
        entries.append(
            Entry(
                id=f"fund/{run_id}/{code}/{shard}/{first}",
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


def _open_budget(
    session: Session, terms: Terms, district_code: str, year: int, at: datetime
) -> None:
    """Open a year's budget with the appropriation that the programme file names."""
    if not terms.budget_fen_per_year:
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
    if budget.id not in open_accounts(session, [treasury, budget]):
        return
    entry = Entry(
        id=f"budget/{terms.code}/{district_code}/{year}/0",
        kind="direct",
        code="appropriation",
        unit="fen",
        debit=treasury.id,
        credit=budget.id,
        amount=terms.budget_fen_per_year,
        period=f"{year}-01",
    )
    post(session, [entry], at=at)


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
    accounts: list[dict[str, Any]] = []
    transfers: list[dict[str, Any]] = []
    entitlements: list[dict[str, Any]] = []
    out_of: dict[str, int] = {}
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
            period=str(period),
            unit=g.unit,
            granted=g.amount,
            valid_from=period.first,
            ends_on=g.ends_on,
            grant_run_id=run_id,
        )
        entitlements.append(values)
        accounts.append(
            {
                "id": account_id,
                "kind": AccountKind.ENTITLEMENT.value,
                "unit": g.unit,
                "programme_code": g.programme_code,
                "elder_id": g.elder_id,
                "vendor_id": None,
                "district_code": district_code,
                "period": str(period),
                "guarded": True,
                "debits_pending": 0,
                "debits_posted": 0,
                "credits_pending": 0,
                "credits_posted": g.amount,
            }
        )
        transfers.append(
            {
                "id": f"grant/{account_id.removeprefix('ent:')}",
                "kind": "direct",
                "code": "grant",
                "unit": g.unit,
                "debit_account": source,
                "credit_account": account_id,
                "amount": g.amount,
                "pending_id": None,
                "reverses_id": None,
                "work_order_id": None,
                "visit_id": None,
                "period": str(period),
                "terms_sha256": entitlement_terms(values),
                "at": at,
            }
        )
    debit_posted(session, out_of)
    for model, rows in (
        (LedgerAccount, accounts),
        (LedgerTransfer, transfers),
        (Entitlement, entitlements),
    ):
        session.execute(insert(model.__table__), rows)  # type: ignore[arg-type]


def free_of(session: Session, account_ids: Sequence[str]) -> dict[str, int]:
    """Return what guarded accounts have left."""
    a = LedgerAccount
    rows = session.execute(
        select(a.id, func.sum(a.credits_posted - a.debits_posted - a.debits_pending))
        .where(a.id.in_(account_ids))
        .group_by(a.id)
    )
    return {row[0]: int(row[1]) for row in rows}
