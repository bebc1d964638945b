"""Act on other authorities' lists: households, assistance, deaths, stays, long-term care insurance.

Each line is taken once, in the transaction of its effects: a killed run is run again and goes on.
A list says who by the identity number, which is looked up by its keyed hash and never kept. What a
list says of a day that is over changes nothing by itself: visits that it speaks against are flagged
for a person. Facts of eligibility count from the first day of the next month.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from marketplace.elders import crosschecks as register
from marketplace.elders import history
from marketplace.elders.access import goes_on
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, local
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import CrossChecks, FeedLine, Ports
from marketplace.orders import listed, standing
from marketplace.orders import service as orders
from marketplace.orders.states import OPEN, State
from marketplace.workflows import judge, policy
from marketplace.workflows.cancel import call_off
from marketplace.workflows.load.refusals import Refusal, RowRefused, shown
from marketplace.workflows.load.rows import (
    AssistanceRow,
    DeathRow,
    FileRow,
    HouseholdRow,
    InsuranceRow,
    StayRow,
)
from marketplace.workflows.policy import Action

BATCH = 100
"""Lines taken in one transaction."""

_ENDED = (State.DONE, State.DISPUTED, State.CONFIRMED, State.SETTLED)


@dataclass
class Effects:
    """What lines did: facts changed, visits called off, orders ended, visits flagged for a person."""

    facts: int = 0
    called_off: int = 0
    orders_ended: int = 0
    flagged: int = 0


@dataclass(frozen=True, slots=True)
class CheckRun:
    """What came of one list. ``unknown``: people who are not in the register, which is no fault."""

    run_id: str
    feed: str
    applied: int
    unchanged: int
    unknown: int
    refused: list[Refusal] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line in hand: what it says, of whom, and when and by whom it was read."""

    row: Any
    elder_id: str
    run_id: str
    source: str
    today: date
    at: datetime
    actor: Actor

    @property
    def next_month(self) -> date:
        """The first day of the month after this one, from which a change of eligibility counts."""
        return Period.of(self.today).next().first


Act = Callable[[Session, _Line, Effects], bool]


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of list: its columns, and what a line does (``True`` where it changed anything)."""

    model: type[FileRow]
    act: Act


def run(session: Session, ports: Ports, actor: Actor, *, feed: str, name: str) -> CheckRun:
    """Read a list and act on its lines; a line taken before is skipped.

    Raises ``BadInput`` for a feed that there is not. Refused lines are named by their number.
    """
    policy.require(actor, Action.RUN_CROSSCHECK)
    if feed not in FEEDS:
        raise BadInput(field="feed", value=feed, expected=sorted(FEEDS))
    source: CrossChecks | None = ports.crosschecks
    if source is None:
        raise BadInput(field="feed", value=feed, expected="an adapter for other authorities' lists")
    kind = FEEDS[feed]
    file = Path(name).name[:120]
    run_id = new_id()
    effects = Effects()
    refused: list[Refusal] = []
    counts = {"applied": 0, "unchanged": 0, "unknown": 0}
    with transaction(session):
        register.begin_run(
            session, run_id, feed=feed, file=file, by=actor.user_id, at=ports.clock.now()
        )
    for batch in _batches(source.lines(name, tuple(kind.model.model_fields))):
        with transaction(session):
            _take(session, ports, actor, run_id, feed, file, batch, counts, effects, refused)
    with transaction(session):
        at = ports.clock.now()
        register.end_run(session, run_id, refused=len(refused), **counts)
        audit.record(
            session,
            at=at,
            actor=actor,
            action="crosscheck",
            subject_kind="feed",
            subject_id=feed,
            run_id=run_id,
            refused=len(refused),
            called_off=effects.called_off,
            flagged=effects.flagged,
            facts_changed=effects.facts,
            **counts,
        )
    return CheckRun(run_id, feed, refused=refused, effects=effects, **counts)


def _batches(lines: Iterator[FeedLine]) -> Iterator[list[FeedLine]]:
    while batch := list(islice(lines, BATCH)):
        yield batch


def _take(
    session: Session,
    ports: Ports,
    actor: Actor,
    run_id: str,
    feed: str,
    file: str,
    batch: Iterable[FeedLine],
    counts: dict[str, int],
    effects: Effects,
    refused: list[Refusal],
) -> None:
    at = ports.clock.now()
    today = local(at).date()
    for line in batch:
        if line.refused:
            refused.append(
                Refusal(file, line.line, line.column, line.refused, line.value, line.expected)
            )
            continue
        try:
            row = _parsed(FEEDS[feed].model, line.cells, today)
            with session.begin_nested():
                outcome = _act(session, ports, actor, run_id, feed, file, row, at, today, effects)
        except RowRefused as no:
            refused.append(Refusal(file, line.line, no.field, no.code, no.value, no.expected))
        except DomainError as no:
            refused.append(Refusal(file, line.line, no.field or "*", no.code))
        else:
            counts[outcome] += 1


def _parsed(model: type[FileRow], cells: Any, today: date) -> Any:
    try:
        row = model(**cells)
    except ValidationError as wrong:
        error = wrong.errors()[0]
        name = str(error["loc"][0]) if error["loc"] else "*"
        value = "" if name == "id_number" else shown(error.get("input", ""))
        expected = str(error.get("ctx", {}).get("expected", ""))
        raise RowRefused(name, error["type"], value, expected) from None
    row.check(today)
    return row


def _act(
    session: Session,
    ports: Ports,
    actor: Actor,
    run_id: str,
    feed: str,
    file: str,
    row: Any,
    at: datetime,
    today: date,
    effects: Effects,
) -> str:
    text = "\x1f".join(f"{k}={v}" for k, v in row)
    # Keyed, since the text holds an identity number that could be guessed from a plain hash.
    digest = hashlib.sha256(ports.vault.index(text).encode()).hexdigest()
    elder_id = register.elder_of(session, ports.vault.index(row.id_number))
    if not register.take_line(
        session, feed=feed, row_sha256=digest, run_id=run_id, elder_id=elder_id, at=at
    ):
        return "unchanged"
    if elder_id is None:
        return "unknown"
    line = _Line(row, elder_id, run_id, f"{feed}: {file}"[:80], today, at, actor)
    return "applied" if FEEDS[feed].act(session, line, effects) else "unchanged"


# ---------------------------------------------------------------- what each kind of line does


def _change(
    session: Session, line: _Line, effects: Effects, name: str, value: Any, on: date
) -> bool:
    news = history.change(
        session,
        line.elder_id,
        name,
        value,
        from_on=on,
        today=line.today,
        source=line.source,
        at=line.at,
        by=line.actor.user_id,
    )
    effects.facts += news
    return news


def _household(session: Session, line: _Line, effects: Effects) -> bool:
    """A household that moved counts from the next month on, never within one that is granted."""
    first = max(line.next_month, Period.of(line.row.since_on).first)
    return _change(session, line, effects, "hukou_local", line.row.hukou_local, first)


def _assistance(session: Session, line: _Line, effects: Effects) -> bool:
    first = max(line.next_month, Period.of(line.row.since_on).first)
    return _change(session, line, effects, "income_class", line.row.income_class, first)


def _insurance(session: Session, line: _Line, effects: Effects) -> bool:
    """The insurer says from when it pays; not for days that are over."""
    first = max(line.today, line.row.since_on)
    tags = set(register.special_of(session, line.elder_id, first))
    tags = tags | {"ltci"} if line.row.active else tags - {"ltci"}
    return _change(session, line, effects, "special", ",".join(sorted(tags)), first)


def _death(session: Session, line: _Line, effects: Effects) -> bool:
    """Freeze at the date of death: nothing later is served, paid or granted without a person."""
    died = line.row.died_on
    news = _change(session, line, effects, "status", "dead", died)
    _call_off_from(session, line, effects, died, None, "death", every_service=True)
    for order_id in standing.end_all(session, line.elder_id, last_on=died):
        effects.orders_ended += 1
        audit.record(
            session,
            at=line.at,
            actor=line.actor,
            action="end_order",
            subject_kind="order",
            subject_id=order_id,
            reason="death",
            run_id=line.run_id,
        )
    _flag(session, line, effects, "visit_after_death", lambda w: w.visit_on > died)
    if news:
        audit.record(
            session,
            at=line.at,
            actor=line.actor,
            action="death_noted",
            subject_kind="elder",
            subject_id=line.elder_id,
            run_id=line.run_id,
            died_on=died.isoformat(),
        )
    return news


def _stay(session: Session, line: _Line, effects: Effects) -> bool:
    """Suspend what does not go on in a hospital or an institution; when it ends, plans go on."""
    row = line.row
    news = history.put_stay(
        session,
        line.elder_id,
        kind=row.kind,
        place=row.place,
        from_on=row.admitted_on,
        until_on=row.discharged_on,
        source=line.source,
        at=line.at,
    )
    effects.facts += news
    if not news:
        return False
    _call_off_from(session, line, effects, row.admitted_on, row.discharged_on, row.kind)
    stay = history.Stay(row.kind, row.admitted_on, row.discharged_on)
    # The day of coming and the day of going may well have had a visit at home.
    inside = {row.admitted_on, row.discharged_on}
    _flag(
        session,
        line,
        effects,
        f"visit_in_{row.kind}",
        lambda w: (
            stay.covers(w.visit_on)
            and w.visit_on not in inside
            and not goes_on(row.kind, w.service_code)
        ),
    )
    if row.discharged_on is not None:
        standing.make_again(session, line.elder_id, after=line.today)
    return True


def _call_off_from(
    session: Session,
    line: _Line,
    effects: Effects,
    first: date,
    last: date | None,
    reason: str,
    *,
    every_service: bool = False,
) -> None:
    """Call off what is not begun of an elder's days, without a fee; the holds go back."""
    rows = listed.of_elder_between(
        session, line.elder_id, first, last, states=OPEN | {State.NO_SHOW}
    )
    for row in rows:
        if not every_service and goes_on(reason, row.service_code):
            continue
        orders.locked_for_change(session, [row.id])
        call_off(session, row, reason, actor=line.actor, at=line.at, is_free=True)
        effects.called_off += 1
        audit.record(
            session,
            at=line.at,
            actor=line.actor,
            action="cancel",
            subject_kind="work_order",
            subject_id=row.id,
            reason=reason,
            run_id=line.run_id,
        )


def _flag(
    session: Session,
    line: _Line,
    effects: Effects,
    kind: str,
    speaks_against: Callable[[Any], bool],
) -> None:
    """Flag visits that a list speaks against; what is not captured yet is held for a person."""
    rows = listed.of_elder_between(
        session, line.elder_id, date(2000, 1, 1), line.today, states=frozenset(_ENDED)
    )
    for row in rows:
        if not speaks_against(row):
            continue
        if not register.flag(
            session,
            work_order_id=row.id,
            elder_id=line.elder_id,
            kind=kind,
            run_id=line.run_id,
            at=line.at,
        ):
            continue
        effects.flagged += 1
        if row.state == State.DONE.value:
            judge.judge_work_order(session, row)
            orders.move(
                session,
                row.id,
                expected=State.DONE,
                to=State.DISPUTED,
                at=line.at,
                actor=line.actor,
                reason=kind,
            )
        outbox.post(
            session,
            due_at=line.at,
            channel="screen",
            **outbox.office(district_code=row.district_code),
            template="visit_flagged",
            about=f"{row.id}/{kind}",
            day=row.visit_on.isoformat(),
            work_order_id=row.id,
            why=kind,
        )


FEEDS: dict[str, Feed] = {
    "households": Feed(HouseholdRow, _household),
    "assistance": Feed(AssistanceRow, _assistance),
    "deaths": Feed(DeathRow, _death),
    "stays": Feed(StayRow, _stay),
    "ltci": Feed(InsuranceRow, _insurance),
}
"""The lists by name; ``marketplace crosscheck run NAME FILE``."""
