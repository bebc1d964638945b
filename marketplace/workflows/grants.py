"""Grants of a month: preview by one person, release by another, exactly once however often it runs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from marketplace.elders.facts import facts_of_district, ids_between
from marketplace.elders.models import Elder
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import Conflict, NotFound, WrongState
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import DeliveryFailed, OutsidePayer, Ports
from marketplace.vouchers import changes, expected, grants
from marketplace.vouchers.grants import Grant
from marketplace.vouchers.ledger import expect_many
from marketplace.vouchers.models import GrantRun
from marketplace.workflows.policy import About, Action, require


class PreviewOutdated(Conflict):
    """Facts or programmes changed since the preview; look again. Facts: ``id``."""


class OutsideAway(Conflict):
    """An outside payer could not be asked what it promises; nothing was granted. Facts:
    ``programme_code``."""


MOST_ASKED = 5_000
"""People of one question to an outside payer."""

TRIES = 3
"""How often a preview asks again where the register changed while the outside was asked."""

Told = Mapping[str, Mapping[str, int]]
"""Programme -> elder -> fen that its outside payer promises: 0 where it promises nothing."""


class _NotAsked(Exception):
    """The register names somebody now about whom no outside payer was asked."""


@dataclass(frozen=True, slots=True)
class ProgrammeTotal:
    """One programme's line of a preview, in its ``unit``; ``fen`` is what it binds of the budget."""

    programme_code: str
    unit: str
    people: int
    amount: int
    fen: int
    budget_left_fen: int | None


@dataclass(frozen=True, slots=True)
class GrantPreview:
    """What a release would do. ``changed``: another class or amount than last month's; ``ended``: had
    one last month and gets none now; ``duplicates``: granted already, left alone."""

    run_id: str
    period: str
    district_code: str
    new: int
    changed: int
    ended: int
    duplicates: int
    totals: tuple[ProgrammeTotal, ...]
    within_budget: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class GrantRelease:
    """What a release did; ``held`` and ``requoted`` are work orders that waited for these grants."""

    run_id: str
    period: str
    district_code: str
    granted: int
    held: int
    requoted: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    new: int = 0
    changed: int = 0
    ended: int = 0
    duplicates: int = 0
    people: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    amount: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    fen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    digest: Any = field(default_factory=hashlib.sha256)


def districts(session: Session) -> list[str]:
    """Return the codes of districts where elders live."""
    return list(
        session.scalars(select(Elder.district_code).distinct().order_by(Elder.district_code))
    )


def preview_grants(
    session: Session, ports: Ports, actor: Actor, *, period: Period, district_code: str
) -> GrantPreview:
    """Count what the month's grants of a district would be, and keep the preview for a release.

    Outside payers are asked first, with no transaction open. Raises ``OutsideAway`` where one cannot
    be reached, ``PreviewOutdated`` where the register changes faster than it can be asked about.
    """
    require(
        actor, Action.GRANT, About(kind="district", id=district_code, district_code=district_code)
    )
    for _ in range(TRIES):
        told = _ask_outside(session, ports, period, district_code)
        try:
            return _preview(session, ports, actor, period, district_code, told)
        except _NotAsked:
            continue
    raise PreviewOutdated(id=district_code)


def _preview(
    session: Session, ports: Ports, actor: Actor, period: Period, district_code: str, told: Told
) -> GrantPreview:
    with transaction(session):
        tally = _Tally()
        for _ in _chunks(session, told, period, district_code, tally):
            pass
        totals = _totals(session, period, district_code, tally)
        at = ports.clock.now()
        run = GrantRun(
            id=new_id(),
            period=str(period),
            district_code=district_code,
            state="previewed",
            previewed_by=actor.user_id,
            previewed_at=at,
            preview_sha256=tally.digest.hexdigest(),
            new=tally.new,
            minutes=sum(t.amount for t in totals if t.unit == "minutes"),
            fen=sum(t.fen for t in totals),
        )
        session.add(run)
        audit.record(
            session,
            at=at,
            actor=actor,
            action="preview_grants",
            subject_kind="grant_run",
            subject_id=run.id,
            period=str(period),
            district_code=district_code,
            new=run.new,
            minutes=run.minutes,
            fen=run.fen,
            sha256=run.preview_sha256,
        )
        return GrantPreview(
            run_id=run.id,
            period=str(period),
            district_code=district_code,
            new=tally.new,
            changed=tally.changed,
            ended=tally.ended,
            duplicates=tally.duplicates,
            totals=totals,
            within_budget=all(
                t.budget_left_fen is None or t.fen <= t.budget_left_fen for t in totals
            ),
            sha256=tally.digest.hexdigest(),
        )


def release_grants(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    run_id: str,
    progress: Callable[[int], None] | None = None,
) -> GrantRelease:
    """Make the grants of a preview, in one transaction; only a second person may.

    All or nothing: killed at any moment it leaves nothing, and a repeat of what was done changes
    nothing and says how many were granted. Releases of one month and district wait for each other.
    Outside payers are asked first, with no transaction open; what they said is held to the register
    as it stands then. Raises ``PreviewOutdated`` when the register or an outside payer's word changed
    since, ``OutsideAway``, ``BudgetTooSmall`` when a budget does not suffice. Work orders that were
    quoted for this month before it was granted get their holds now; who has to pay another own share
    is told.
    """
    told = _ask_for_release(session, ports, actor, run_id)
    try:
        return _release(session, ports, actor, run_id, told, progress)
    except _NotAsked as newcomer:
        raise PreviewOutdated(id=run_id) from newcomer


def _ask_for_release(session: Session, ports: Ports, actor: Actor, run_id: str) -> Told:
    """Ask outside payers for a release that this actor may do; a repeat asks nobody."""
    run = _run_of(session, actor, run_id)
    state, period, district = run.state, Period.parse(run.period), run.district_code
    session.rollback()
    return _ask_outside(session, ports, period, district) if state == "previewed" else {}


def _run_of(session: Session, actor: Actor, run_id: str) -> GrantRun:
    """Return a run that the actor may release; raises ``NotFound``, ``NotAllowed``."""
    run = session.get(GrantRun, run_id)
    if run is None:
        raise NotFound(kind="grant_run", id=run_id)
    about = About(
        kind="grant_run",
        id=run_id,
        district_code=run.district_code,
        entered_by=run.previewed_by,
    )
    require(actor, Action.GRANT, about)
    return run


def _release(
    session: Session,
    ports: Ports,
    actor: Actor,
    run_id: str,
    told: Told,
    progress: Callable[[int], None] | None,
) -> GrantRelease:
    with transaction(session):
        run = _run_of(session, actor, run_id)
        period, district, at = Period.parse(run.period), run.district_code, ports.clock.now()
        # All previews of the month, in one order: whoever comes second sees what the first granted.
        session.execute(
            select(GrantRun)
            .where(GrantRun.period == run.period, GrantRun.district_code == district)
            .order_by(GrantRun.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        taken = session.execute(
            update(GrantRun)
            .where(GrantRun.id == run_id, GrantRun.state == "previewed")
            .values(state="released", released_by=actor.user_id, released_at=at)
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount != 1:  # type: ignore[attr-defined]
            if run.state == "released" and run.released_by == actor.user_id:
                return GrantRelease(run_id, run.period, district, run.new, 0, ())
            raise WrongState(id=run_id, state=run.state, expected=["previewed"])
        tally = _Tally()
        granted = 0
        expect_many(session)
        for fresh in _chunks(session, told, period, district, tally):
            granted += grants.write_new_grants(
                session, fresh, period=period, district_code=district, run_id=run_id, at=at
            )
            if progress:
                progress(granted)
        if tally.digest.hexdigest() != run.preview_sha256:
            raise PreviewOutdated(id=run_id)
        settled = expected.hold_expected(session, period=period, district_code=district, at=at)
        for c in settled.changed:
            outbox.post(
                session,
                due_at=at,
                channel="sms",
                recipient_kind="elder",
                recipient_id=c.elder_id,
                template="money.requoted",
                about=f"{run_id}/{c.work_order_id}",
                day=c.use_on.isoformat(),
                work_order_id=c.work_order_id,
                own_before_fen=c.own_before_fen,
                own_after_fen=c.own_after_fen,
            )
        audit.record(
            session,
            at=at,
            actor=actor,
            action="release_grants",
            subject_kind="grant_run",
            subject_id=run_id,
            period=str(period),
            district_code=district,
            granted=granted,
            held=settled.held,
            requoted=len(settled.requoted),
        )
        return GrantRelease(run_id, str(period), district, granted, settled.held, settled.requoted)


def grant_period(
    session: Session,
    ports: Ports,
    preparer: Actor,
    releaser: Actor,
    *,
    period: Period,
    progress: Callable[[int], None] | None = None,
) -> list[GrantRelease]:
    """Preview and release a month for every district; for a first load, where two are at hand."""
    done = []
    for district in districts(session):
        preview = preview_grants(session, ports, preparer, period=period, district_code=district)
        done.append(
            release_grants(session, ports, releaser, run_id=preview.run_id, progress=progress)
        )
    return done


def _chunks(
    session: Session, told: Told, period: Period, district_code: str, tally: _Tally
) -> Iterator[Sequence[Grant]]:
    """Yield the grants still to be made, district in order of elders, and count them.

    Raises ``_NotAsked`` where ``told`` says nothing of somebody whom an outside payer pays for.
    """
    book = changes.book(session)
    terms = {t.code: t for t in book.all_terms(period.first, district_code)}
    for people in facts_of_district(session, district_code, period.first, chunk=20_000):
        planned = _confirmed(told, list(grants.plan_grants(book, people, period, district_code)))
        whose = ids_between(district_code, people[0][0], people[-1][0])
        done, before = grants.granted_to(session, period, whose)
        fresh = [g for g in planned if (g.elder_id, g.slot) not in done]
        tally.duplicates += len(planned) - len(fresh)
        tally.new += len(fresh)
        now = {(g.elder_id, g.slot): grants.Had(g.programme_code, g.amount) for g in planned}
        tally.changed += sum(1 for k, v in before.items() if k in now and now[k] != v)
        tally.ended += sum(1 for k in before if k not in now)
        for g in fresh:
            tally.people[g.programme_code] += 1
            tally.amount[g.programme_code] += g.amount
            tally.fen[g.programme_code] += grants.fen_of(g, terms[g.programme_code])
            tally.digest.update(
                f"{g.elder_id}|{g.programme_code}|{g.programme_version}|{g.tier}|{g.amount}\n".encode()
            )
        yield fresh


def _ask_outside(session: Session, ports: Ports, period: Period, district_code: str) -> Told:
    """Ask the outside payers about everybody for whom they would pay by the register of now.

    The register is read first and the read ended: nothing of the database waits for a network.
    """
    book = changes.book(session)
    asked: dict[str, list[str]] = {
        t.code: []
        for t in book.all_terms(period.first, district_code)
        if t.grant == "outside" and t.code in ports.outside
    }
    if asked:
        for people in facts_of_district(session, district_code, period.first, chunk=20_000):
            for g in grants.plan_grants(book, people, period, district_code):
                if g.programme_code in asked:
                    asked[g.programme_code].append(g.elder_id)
    session.rollback()
    return {code: _promises(ports.outside[code], code, ids, period) for code, ids in asked.items()}


def _promises(payer: OutsidePayer, code: str, ids: Sequence[str], period: Period) -> dict[str, int]:
    """Return what a payer promises each of these people, in fen; raises ``OutsideAway``."""
    found = dict.fromkeys(ids, 0)
    try:
        for start in range(0, len(ids), MOST_ASKED):
            quoted = payer.quote(ids[start : start + MOST_ASKED], str(period))
            found |= {elder_id: v.cap_fen for elder_id, v in quoted.items() if elder_id in found}
    except DeliveryFailed as failure:
        raise OutsideAway(programme_code=code) from failure
    return found


def _confirmed(told: Told, planned: list[Grant]) -> list[Grant]:
    """Return the grants with outside payers' own amounts: what they do not confirm is not granted."""
    confirmed = []
    for g in planned:
        promised = told.get(g.programme_code)
        if promised is None:
            confirmed.append(g)
            continue
        if g.elder_id not in promised:
            raise _NotAsked(g.elder_id)
        amount = min(g.amount, promised[g.elder_id])
        if amount > 0:
            confirmed.append(replace(g, amount=amount))
    return confirmed


def _totals(
    session: Session, period: Period, district_code: str, tally: _Tally
) -> tuple[ProgrammeTotal, ...]:
    lines = []
    book = changes.book(session)
    for code in sorted(tally.people):
        terms = book.terms_of(code, period.first, district_code)
        left: int | None = None
        if terms.grant != "outside":
            account = grants.budget_account(code, district_code, period.year)
            left = grants.free_of(session, [account]).get(account, 0)
            left += grants.appropriation_due(session, terms, district_code, period.year)
        lines.append(
            ProgrammeTotal(
                code, terms.unit, tally.people[code], tally.amount[code], tally.fen[code], left
            )
        )
    return tuple(lines)
