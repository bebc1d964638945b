"""A paper record of a visit, typed in by two people who do not see each other's reading."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput, SecondPersonNeeded, WrongState
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import papers
from marketplace.visits import service as visits
from marketplace.visits.rules import Method
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.redeem import (
    Redeemed,
    add_proof,
    answered,
    begin,
    check_times,
    checked_crew,
    end,
)
from marketplace.workflows.step import run_step
from marketplace.workflows.visit import close


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperEntry:
    """A paper record as one person reads it. ``signed_by``: ``elder``, ``family`` or ``mark``."""

    work_order_id: str
    slip_no: str
    caregiver_ids: list[str]
    began_at: datetime
    ended_at: datetime
    signed_by: str


SIGNED_BY = ("elder", "family", "mark")
SLIP_NO = r"^[A-Za-z0-9_.-]+$"
MOST_SLIP_NO = 40


def enter_paper(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: PaperEntry
) -> Redeemed:
    """Type a paper record in; a second person types it again without seeing the first's.

    Where both read the same, the visit ends as at a check-out and waits for the elder's word; where
    they differ the hold stays and a person looks at the paper.
    """
    if request.signed_by not in SIGNED_BY:
        raise BadInput(field="signed_by", value=request.signed_by, expected=list(SIGNED_BY))
    if len(request.slip_no) > MOST_SLIP_NO or not re.fullmatch(SLIP_NO, request.slip_no):
        raise BadInput(field="slip_no", value=request.slip_no[:MOST_SLIP_NO], expected=SLIP_NO)
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="enter_paper",
        request=request,
        answer=Redeemed,
        run=lambda at: _paper(session, actor, request, at),
    )


def _paper(session: Session, actor: Actor, request: PaperEntry, at: datetime) -> Redeemed:
    row = orders.work_order(session, request.work_order_id)
    about = subjects.about_work_order(session, actor, row)
    policy.require(actor, Action.ENTER_PAPER, about)
    orders.locked_for_change(session, [row.id])
    row = orders.work_order(session, row.id)
    typed = _typed(request)
    before = papers.of_work_order(session, row.id)
    if before is None:
        check_times(row, request.began_at, request.ended_at, at)
        crew = checked_crew(session, row, request.caregiver_ids, at)
        papers.enter_first(
            session, row.id, slip_no=request.slip_no, typed=typed, by=actor.user_id, at=at
        )
        if not visits.of_work_order(session, row.id):
            begin(session, row, crew, began_at=request.began_at, place=row, at=at, actor=actor)
        proof = _paper_proof(request, at, "first")
        add_proof(session, row.id, "check_in", new_id(), proof, actor, said_at=request.began_at)
        return answered(session, row, actor, at, "enter_paper", why="second_person")
    if before.first_by == actor.user_id:
        raise SecondPersonNeeded(action="enter_paper", role=actor.role.value)
    if row.state != State.IN_SERVICE.value:
        raise WrongState(id=row.id, state=row.state, expected=[State.IN_SERVICE.value])
    differs = papers.enter_second(session, before, typed=typed, by=actor.user_id, at=at)
    first_end = datetime.fromisoformat(before.first["ended_at"])
    end(session, row.id, first_end)
    proof = _paper_proof(request, at, "differs" if differs else "same")
    add_proof(session, row.id, "check_out", new_id(), proof, actor, said_at=request.ended_at)
    close(session, orders.work_order(session, row.id), at=at, actor=actor)
    return answered(session, row, actor, at, "enter_paper", why=",".join(differs))


def _typed(request: PaperEntry) -> dict[str, Any]:
    return {
        **asdict(request),
        "caregiver_ids": sorted(set(request.caregiver_ids)),
        # The same instant reads the same from whichever offset it was sent with.
        "began_at": request.began_at.astimezone(UTC).isoformat(),
        "ended_at": request.ended_at.astimezone(UTC).isoformat(),
    }


def _paper_proof(request: PaperEntry, at: datetime, said: str) -> dict[str, Any]:
    facts = {"slip_no": request.slip_no, "signed_by": request.signed_by}
    if said != "first":
        facts["slip"] = said
    return {"method": Method.PAPER.value, "at": at, "note": request.slip_no, "facts": facts}
