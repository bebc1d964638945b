"""A change of a programme: tried on last month's orders, proposed by one person, released by another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from marketplace.elders.facts import facts_of_district, ids_between
from marketplace.elders.models import Elder
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, local
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotFound, WrongState
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.vouchers import changes, programmes, rights
from marketplace.vouchers.changes import Change, ChangeOutdated, Difference
from marketplace.vouchers.models import ProgrammeChange
from marketplace.vouchers.trial import Moved, Tally, Trial
from marketplace.workflows.policy import About, Action, allows, district_of, require
from marketplace.workflows.step import answered, run_step

Progress = Callable[[str, int], None]
Each = Callable[[Moved], None]


@dataclass(frozen=True, slots=True)
class TryChange:
    """A programme's TOML file, whole, and the month to try it on; the last month without one."""

    text: str
    period: str | None = None


@dataclass(frozen=True, slots=True)
class ProposeChange:
    """A programme's TOML file, why it changes, and the month of its trial."""

    text: str
    reason: str
    period: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseChange:
    """Which proposal is released."""

    change_id: str


@dataclass(frozen=True, slots=True)
class WithdrawChange:
    """Which proposal is taken back, and why."""

    change_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class TriedChange:
    """What a file changes, and what it would have done to the month."""

    programme_code: str
    valid_from: date
    sha256: str
    differences: tuple[Difference, ...]
    trial: Trial


@dataclass(frozen=True, slots=True)
class ChangeState:
    """Where a change stands: proposed, released or withdrawn."""

    change_id: str
    programme_code: str
    valid_from: date
    sha256: str
    state: str


def try_change(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    request: TryChange,
    progress: Progress | None = None,
    each: Each | None = None,
) -> TriedChange:
    """Return what a file would change, tried on a month; reads only.

    ``each`` is told everybody who gains or loses; that somebody took this list is recorded. Raises
    ``ChangeRefused`` where the file cannot be taken, or changes more than the actor's own district.
    """
    require(actor, Action.CHANGE_PROGRAMME, _own(actor))
    session.rollback()
    listed = None if each is None else _Listed(each)
    try:
        today = local(ports.clock.now()).date()
        period = _period(request.period, today)
        before = changes.book(session)
        change = _read(session, before, request.text, today)
        _check_reach(actor, before, change)
        tried = TriedChange(
            programme_code=change.code,
            valid_from=change.valid_from,
            sha256=change.sha256,
            differences=changes.differences(before, change),
            trial=_try(session, change, before, period, progress, listed),
        )
    finally:
        session.rollback()
    if listed is not None:
        _record_list(session, ports, actor, tried, listed.people)
    return tried


@dataclass(slots=True)
class _Listed:
    """Passes everybody who gains or loses on, and counts them."""

    each: Each
    people: int = 0

    def __call__(self, moved: Moved) -> None:
        self.people += 1
        self.each(moved)


def _own(actor: Actor) -> About:
    return About(kind="programme", district_code=district_of(actor))


def _check_reach(actor: Actor, book: programmes.Book, change: Change) -> None:
    about = About(kind="programme", district_code=changes.only_district(book, change))
    if not allows(actor, Action.CHANGE_PROGRAMME, about):
        raise changes.refused("own_district")


def _record_list(
    session: Session, ports: Ports, actor: Actor, tried: TriedChange, people: int
) -> None:
    with transaction(session):
        audit.record(
            session,
            at=ports.clock.now(),
            actor=actor,
            action="list_trial",
            subject_kind="programme",
            subject_id=tried.programme_code,
            period=tried.trial.period,
            sha256=tried.sha256,
            people=people,
        )


def propose_change(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    key: str,
    request: ProposeChange,
    progress: Progress | None = None,
) -> ChangeState:
    """Keep a file and its trial for a second person to release; nothing changes yet."""
    command = "propose_change"
    first = answered(
        session, key=key, actor=actor, command=command, request=request, answer=ChangeState
    )
    if first is not None:
        return first
    if not request.reason.strip():
        raise BadInput(field="reason", value="", expected="why the programme changes")
    # The trial reads a month of the whole city: it holds no lock, and the release asks again
    # whether the programme is still the one that was read.
    tried = try_change(
        session, ports, actor, request=TryChange(request.text, request.period), progress=progress
    )

    def run(at: datetime) -> ChangeState:
        today = local(at).date()
        book = changes.book(session)
        change = _read(session, book, request.text, today)
        _check_reach(actor, book, change)
        row = ProgrammeChange(
            id=new_id(),
            programme_code=change.code,
            valid_from=change.valid_from,
            content=change.text,
            content_sha256=change.sha256,
            base_sha256=change.base_sha256,
            reason=request.reason.strip()[:200],
            period=tried.trial.period,
            trial={
                "differences": [asdict(d) for d in tried.differences],
                "trial": asdict(tried.trial),
            },
            state="proposed",
            proposed_by=actor.user_id,
            proposed_at=at,
        )
        session.add(row)
        sha256 = rights.proposal_sha256(vars(row))
        _record(session, at, actor, "propose_change", row, row.reason, row_sha256=sha256)
        return _state(row, "proposed")

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command=command,
        request=request,
        answer=ChangeState,
        run=run,
    )


def release_change(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ReleaseChange
) -> ChangeState:
    """Let a proposed version hold from its day on; only a second person may.

    Raises ``ChangeOutdated`` where the programme changed since the proposal, ``ChangeRefused`` where
    its day has come or its month was granted meanwhile.
    """

    def run(at: datetime) -> ChangeState:
        _one_at_a_time(session)
        row = _row(session, request.change_id)
        require(actor, Action.CHANGE_PROGRAMME, _about(row, by_two=True))
        _check_waits(row)
        book = changes.book(session)
        if changes.base_sha256(book, row.programme_code) != row.base_sha256:
            raise ChangeOutdated(id=row.id)
        _read(session, book, row.content, local(at).date())
        _move(session, row, "released", released_by=actor.user_id, released_at=at)
        _record(session, at, actor, "release_change", row, row.reason)
        return _state(row, "released")

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="release_change",
        request=request,
        answer=ChangeState,
        run=run,
    )


def withdraw_change(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: WithdrawChange
) -> ChangeState:
    """Take a proposal back; whoever may propose may do it, with a reason."""

    def run(at: datetime) -> ChangeState:
        row = _row(session, request.change_id)
        require(actor, Action.CHANGE_PROGRAMME, _about(row, by_two=False))
        if not request.reason.strip():
            raise BadInput(field="reason", value="", expected="why the proposal is taken back")
        _move(session, row, "withdrawn")
        _record(session, at, actor, "withdraw_change", row, request.reason.strip()[:200])
        return _state(row, "withdrawn")

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="withdraw_change",
        request=request,
        answer=ChangeState,
        run=run,
    )


def _period(given: str | None, today: date) -> Period:
    if given is None:
        return Period.of(today).previous()
    try:
        return Period.parse(given)
    except ValueError as error:
        raise BadInput(field="period", value=given, expected="a month as 2026-11") from error


def _read(session: Session, book: programmes.Book, content: str, today: date) -> Change:
    return changes.read_change(
        book,
        content,
        today=today,
        slots=programmes.settings_on(today).order,
        granted_until=changes.granted_until(session),
    )


def _try(
    session: Session,
    change: Change,
    before: programmes.Book,
    period: Period,
    progress: Progress | None,
    each: Each | None,
) -> Trial:
    tally = Tally(
        before=before,
        after=before.with_versions([change.version]),
        code=change.code,
        on=change.valid_from,
        period=period,
        each=each,
    )
    districts = session.scalars(
        select(Elder.district_code).distinct().order_by(Elder.district_code)
    ).all()
    for district in districts:
        for people in facts_of_district(session, district, period.first, chunk=20_000):
            whose = ids_between(district, people[0][0], people[-1][0])
            tally.add(session, district, people, whose)
            if progress:
                progress(district, tally.elders)
    return tally.result()


def _one_at_a_time(session: Session) -> None:
    """Wait for other releases of changes, and for grants that are being made by the old terms.

    SQLite has one writer, who is the caller.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE grant_run, programme_change IN SHARE ROW EXCLUSIVE MODE"))


def _row(session: Session, change_id: str) -> ProgrammeChange:
    row = session.get(ProgrammeChange, change_id, populate_existing=True)
    if row is None:
        raise NotFound(kind="programme_change", id=change_id)
    return row


def _about(row: ProgrammeChange, *, by_two: bool) -> About:
    moved = [Difference(**d) for d in row.trial["differences"]]
    return About(
        kind="programme_change",
        id=row.id,
        district_code=changes.district_moved(moved),
        entered_by=row.proposed_by if by_two else None,
    )


def _move(session: Session, row: ProgrammeChange, state: str, **values: object) -> None:
    moved = session.execute(
        update(ProgrammeChange)
        .where(ProgrammeChange.id == row.id, ProgrammeChange.state == "proposed")
        .values(state=state, **values)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        session.refresh(row)
        _check_waits(row)


def _check_waits(row: ProgrammeChange) -> None:
    if row.state != "proposed":
        raise WrongState(id=row.id, state=row.state, expected=["proposed"])


def _record(
    session: Session,
    at: datetime,
    actor: Actor,
    action: str,
    row: ProgrammeChange,
    reason: str,
    **facts: str,
) -> None:
    audit.record(
        session,
        at=at,
        actor=actor,
        action=action,
        subject_kind="programme_change",
        subject_id=row.id,
        reason=reason,
        programme_code=row.programme_code,
        valid_from=row.valid_from.isoformat(),
        sha256=row.content_sha256,
        **facts,
    )


def _state(row: ProgrammeChange, state: str) -> ChangeState:
    return ChangeState(row.id, row.programme_code, row.valid_from, row.content_sha256, state)
