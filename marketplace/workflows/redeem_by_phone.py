"""A visit that the elder confirms on the telephone to the hotline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from marketplace.elders import access, consents
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits.rules import Method
from marketplace.workflows import confirm, policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.redeem import Redeemed, answered, check_times, checked_crew, record_whole
from marketplace.workflows.step import run_step
from marketplace.workflows.visit import close


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneReport:
    """What the elder said on the phone. ``recording`` is the call's id, ``number`` the caller's.

    ``number`` is compared with the elder's and the family's by its keyed hash and not kept.
    """

    work_order_id: str
    caregiver_ids: list[str]
    began_at: datetime
    ended_at: datetime
    recording: str
    number: str


@dataclass(frozen=True, slots=True)
class _PhoneContent:
    work_order_id: str
    caregiver_ids: list[str]
    began_at: datetime
    ended_at: datetime
    recording: str
    number_index: str


def report_by_phone(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: PhoneReport
) -> Redeemed:
    """Redeem a visit that the elder confirms on the phone to the hotline.

    From the elder's or a relative's number, and with nothing that the rules object to, the hold is
    captured; from any other number a person calls back first.
    """
    content = _PhoneContent(
        request.work_order_id,
        request.caregiver_ids,
        request.began_at,
        request.ended_at,
        request.recording,
        ports.vault.index(request.number),
    )
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="report_by_phone",
        request=content,
        answer=Redeemed,
        run=lambda at: _by_phone(session, actor, content, at),
    )


def _by_phone(session: Session, actor: Actor, said: _PhoneContent, at: datetime) -> Redeemed:
    row = orders.work_order(session, said.work_order_id)
    about = subjects.about_work_order(session, actor, row)
    policy.require(actor, Action.REDEEM_BY_PHONE, about)
    orders.locked_for_change(session, [row.id])
    row = orders.work_order(session, row.id)
    check_times(row, said.began_at, said.ended_at, at)
    if not said.recording.strip():
        raise BadInput(field="recording", value="", expected="the id of the call's recording")
    if consents.is_withdrawn(session, row.elder_id, "hotline_recording"):
        raise BadInput(
            field="recording", value=said.recording, expected="paper or the elder's card"
        )
    crew = checked_crew(session, row, said.caregiver_ids, at)
    ties = access.ties(session, row.elder_id)
    known = said.number_index in {ties.phone_index, *ties.family_phones}
    proof = {
        "method": Method.LANDLINE.value,
        "at": at,
        "note": said.recording,
        "facts": {"number": "known" if known else "unknown", "recording": said.recording},
    }
    record_whole(session, row, crew, said.began_at, said.ended_at, proof, actor, at)
    close(session, orders.work_order(session, row.id), at=at, actor=actor)
    if orders.work_order(session, row.id).state == State.DONE.value:
        confirm.settle_if_due(session, row.id, at=at, actor=actor, reason="phone")
    return answered(session, row, actor, at, "report_by_phone")
