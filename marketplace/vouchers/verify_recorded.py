"""Seals and grant runs, held against what was recorded of them when they were made."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from marketplace.kernel.audit import events_of
from marketplace.kernel.findings import Finding, missing
from marketplace.vouchers.models import Entitlement, GrantRun, LedgerSeal


def verify(connection: Connection) -> Iterator[Finding]:
    """Name the seals and grant runs that are not the recorded ones."""
    yield from _seals(connection)
    yield from _grant_runs(connection)


def _seals(connection: Connection) -> Iterator[Finding]:
    rows = connection.execute(select(LedgerSeal.id, LedgerSeal.sha256))
    seals = {str(row.id): row.sha256 for row in rows}
    for number, of in sorted(events_of(connection, "seal_ledger").items()):
        if seals.get(number) != of[0].facts.get("sha256"):
            yield Finding("ledger_seal", number, "it is not the seal that was recorded")


def _grant_runs(connection: Connection) -> Iterator[Finding]:
    """Hold the grant runs against what was recorded of them and against what they granted."""
    previews = events_of(connection, "preview_grants")
    releases = events_of(connection, "release_grants")
    of_run = Entitlement.grant_run_id
    granted = {
        row[0]: row[1] for row in connection.execute(select(of_run, func.count()).group_by(of_run))
    }
    seen = set()
    for run in connection.execute(select(GrantRun.__table__).order_by(GrantRun.id)):
        seen.add(run.id)
        facts = {
            "period": run.period,
            "district_code": run.district_code,
            "new": run.new,
            "minutes": run.minutes,
            "fen": run.fen,
            "sha256": run.preview_sha256,
        }
        by = [(e.actor_id, e.at) for e in previews.get(run.id, []) if e.facts == facts]
        released = [(e.actor_id, e.at) for e in releases.get(run.id, [])]
        if by[:1] != [(run.previewed_by, run.previewed_at)]:
            yield Finding("grant_run", run.id, "it is not the preview that was recorded")
        elif (run.state == "released") != bool(released) or (
            released and released[0] != (run.released_by, run.released_at)
        ):
            yield Finding("grant_run", run.id, "its release is not the one that was recorded")
        elif run.state == "released" and granted.get(run.id, 0) != run.new:
            detail = f"{granted.get(run.id, 0)} of {run.new}"
            yield Finding("grant_run", run.id, "it did not grant what it says", detail)
    yield from missing("grant_run", previews.keys() - seen)
