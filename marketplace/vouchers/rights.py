"""What gives rights to money beside the ledger, and its proof against what was recorded of it.

Changes of programmes, applications and the homes that had a grant are rows that move on once, so a
hash of their own would move with them. The audit event of each step keeps the hash of what was asked,
and each row is held against its events: both ways, so that neither can stand alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from marketplace.kernel.audit import events_of
from marketplace.kernel.clock import local
from marketplace.kernel.findings import Finding, missing
from marketplace.vouchers.models import Entitlement, GrantApplication, HomeGrant, ProgrammeChange

_PROPOSED = (
    "programme_code",
    "valid_from",
    "content",
    "content_sha256",
    "base_sha256",
    "reason",
    "period",
    "trial",
    "proposed_by",
)
_APPLIED = ("programme_code", "elder_id", "home_sha256", "note", "applied_by")


def proposal_sha256(row: Mapping[str, Any]) -> str:
    """Return the hash of a change as it was proposed."""
    return _sha256(row, _PROPOSED)


def application_sha256(row: Mapping[str, Any]) -> str:
    """Return the hash of an application as it was made."""
    return _sha256(row, _APPLIED)


def _sha256(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    said = {name: row[name] for name in names}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: date) -> str:
    return value.isoformat()


def verify(connection: Connection) -> Iterator[Finding]:
    """Name what is wrong with changes of programmes, applications and homes."""
    yield from _changes(connection)
    yield from _applications(connection)
    yield from _homes(connection)


def _says(event: Any, sha256: str) -> bool:
    # Events from before the hash was kept say less: who and when.
    return bool(event.facts.get("row_sha256", sha256) == sha256)


def _changes(connection: Connection) -> Iterator[Finding]:
    proposed = events_of(connection, "propose_change")
    ends = {
        "released": events_of(connection, "release_change"),
        "withdrawn": events_of(connection, "withdraw_change"),
    }
    seen = set()
    for row in connection.execute(select(ProgrammeChange.__table__).order_by(ProgrammeChange.id)):
        seen.add(row.id)
        made = proposed.get(row.id, [])
        if not any(
            (e.actor_id, e.at) == (row.proposed_by, row.proposed_at)
            and _says(e, proposal_sha256(row._mapping))
            for e in made
        ):
            yield Finding("programme_change", row.id, "it is not what was proposed")
            continue
        said = [(state, e) for state, of in ends.items() for e in of.get(row.id, [])]
        if [state for state, _ in said] != ([] if row.state == "proposed" else [row.state]):
            yield Finding("programme_change", row.id, "it is not how it was recorded to end")
        elif row.state == "released" and (said[0][1].actor_id, said[0][1].at) != (
            row.released_by,
            row.released_at,
        ):
            yield Finding("programme_change", row.id, "somebody else released it, or another time")
    yield from missing("programme_change", proposed.keys() - seen)


def _applications(connection: Connection) -> Iterator[Finding]:
    made, decided = (
        events_of(connection, action) for action in ("apply_for_grant", "decide_application")
    )
    seen = set()
    for row in connection.execute(select(GrantApplication.__table__).order_by(GrantApplication.id)):
        seen.add(row.id)
        if not any(
            (e.actor_id, e.at) == (row.applied_by, row.applied_at)
            and _says(e, application_sha256(row._mapping))
            for e in made.get(row.id, [])
        ):
            yield Finding("grant_application", row.id, "it is not what was applied for")
            continue
        said = [(e.facts.get("state"), e.actor_id, e.at, e.reason) for e in decided.get(row.id, [])]
        stored = (row.state, row.decided_by, row.decided_at, row.reason)
        if said != ([] if row.state == "applied" else [stored]):
            yield Finding("grant_application", row.id, "its decision is not the one recorded")
    yield from missing("grant_application", made.keys() - seen)
    yield from _awards(connection, decided)


def _awards(connection: Connection, decided: Mapping[str, list[Any]]) -> Iterator[Finding]:
    """Hold what approvals granted against the purses that they filled."""
    purses = {
        row.account_id: row
        for row in connection.execute(
            select(
                Entitlement.account_id,
                Entitlement.elder_id,
                Entitlement.programme_code,
                Entitlement.granted,
            ).where(Entitlement.programme_code.in_(select(GrantApplication.programme_code)))
        )
    }
    for application_id, of in sorted(decided.items()):
        facts = of[0].facts
        if facts.get("state") != "approved" or "account_id" not in facts:
            continue
        purse = purses.get(facts["account_id"])
        if purse is None or (purse.elder_id, purse.programme_code, purse.granted) != (
            facts["elder_id"],
            facts["programme_code"],
            facts["amount"],
        ):
            yield Finding(
                "grant_application", application_id, "what it granted is not in the elder's purse"
            )


def _homes(connection: Connection) -> Iterator[Finding]:
    """Hold each home's last grant against the applications that were approved for it."""
    last: dict[tuple[str, str], date] = {}
    for code, home, at in connection.execute(
        select(
            GrantApplication.programme_code,
            GrantApplication.home_sha256,
            GrantApplication.decided_at,
        ).where(GrantApplication.state == "approved")
    ):
        on = _day(at)
        last[code, home] = max(on, last.get((code, home), on))
    stored = {
        (row.programme_code, row.home_sha256): row.last_on
        for row in connection.execute(select(HomeGrant.__table__))
    }
    for home in sorted(last.keys() | stored.keys()):
        if last.get(home) != stored.get(home):
            yield Finding(
                "home_grant", "/".join(home), "it is not the last grant approved for this home"
            )


def _day(at: datetime) -> date:
    return local(at).date()
