"""A caregiver checks in and out, finds nobody at home, or has to break off."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import consents, follow_ups
from marketplace.elders.follow_ups import NewFollowUp
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import BadInput, NotAllowed, WrongState
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import cards, homecode, rules
from marketplace.visits import service as visits
from marketplace.visits.rules import Method
from marketplace.visits.service import NewEvidence
from marketplace.vouchers import service as vouchers
from marketplace.workflows import confirm, judge, policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step

INTERRUPT_REASONS = ("illness", "refused", "contraindicated", "danger", "called_away")
NO_ACCESS_WAIT = timedelta(minutes=10)
LOOK_WITHIN = timedelta(minutes=30)
"""After a shut door the hotline rings and, if need be, sends somebody within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Evidence as the phone made it; ``evidence_id`` is the phone's, so that a repeat is one row.

    ``code``: what the home showed, for ``home_code``; the card's number or the printed code, for
    ``card``. ``phash``: 16 hexadecimal digits of a photo's perceptual hash. Coordinates are WGS-84 degrees.
    """

    evidence_id: str
    method: str
    at_device: datetime
    lat: float | None = None
    lng: float | None = None
    accuracy_m: int | None = None
    device_id: str | None = None
    offline: bool = False
    code: str | None = None
    note: str = ""
    phash: str | None = None
    taken_at: datetime | None = None
    mock_location: bool = False
    rooted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInRequest:
    """Where, who and how. ``visit_id`` is the phone's. ``caregiver_id`` only for a vendor's correction."""

    work_order_id: str
    visit_id: str
    shown: Shown
    caregiver_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutRequest:
    """Which visit ends, and how that is shown."""

    visit_id: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class VisitState:
    """A visit after the step: the six facts stand in its work order and these fields."""

    visit_id: str
    work_order_id: str
    caregiver_id: str
    state: str
    check_in_at: datetime
    check_out_at: datetime | None
    verdict: str
    findings: list[dict[str, Any]] = field(default_factory=list)


def check_in(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CheckInRequest
) -> VisitState:
    """Begin a visit on evidence; of a crew the first check-in begins the work order's service.

    Raises ``TooEarly`` before the slot, ``CodeWrong`` for another home's code, ``BadInput`` for
    evidence that cannot be. Outside the fence or late is recorded and looked at, never turned away.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="check_in",
        request=request,
        answer=VisitState,
        run=lambda at: _check_in(session, ports, actor, request, at),
    )


def _check_in(
    session: Session, ports: Ports, actor: Actor, request: CheckInRequest, at: datetime
) -> VisitState:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.CHECK_IN, subjects.about_work_order(session, actor, row))
    orders.locked_for_change(session, [row.id])
    row = orders.work_order(session, row.id)
    caregiver_id = _who(actor, request.caregiver_id, request.shown)
    crew = orders.assignments(session, [row.id]).get(row.id, [])
    if caregiver_id not in {a.caregiver_id for a in crew}:
        raise BadInput(field="caregiver_id", value=caregiver_id, expected="one of the crew")
    shown = _checked(ports, row, _consented(session, row, request.shown), at)
    visit, is_new = visits.begin(
        session,
        visit_id=request.visit_id,
        work_order=row,
        caregiver_id=caregiver_id,
        check_in_at=shown.at_device,
        lat=shown.lat,
        lng=shown.lng,
    )
    if is_new:
        _begin_service(session, row, shown, at=at, actor=actor)
    card = card_facts(session, ports, row, shown, at)
    visits.add_evidence(session, visit.id, _evidence("check_in", shown, actor, at, **card))
    audit.record(
        session,
        at=at,
        actor=actor,
        action="check_in",
        subject_kind="work_order",
        subject_id=row.id,
        visit_id=visit.id,
        method=shown.method,
    )
    return _state(session, visit.id)


def _begin_service(
    session: Session, row: Row[Any], shown: Shown, *, at: datetime, actor: Actor
) -> None:
    rules.check_slot(
        at=shown.at_device,
        opens_at=judge.opens_at(row),
        closes_at=instant_of(row.visit_on, row.window_end_s),
    )
    if State(row.state) is State.ASSIGNED:
        orders.move(
            session, row.id, expected=State.ASSIGNED, to=State.IN_SERVICE, at=at, actor=actor
        )
    elif State(row.state) is not State.IN_SERVICE:
        raise WrongState(id=row.id, state=row.state, expected=["assigned", "in_service"])


def _who(actor: Actor, named: str | None, shown: Shown) -> str:
    """Return whose visit it is: the caregiver's own, or the one a vendor corrects for."""
    if actor.role is Role.CAREGIVER:
        if named not in (None, actor.caregiver_id):
            raise BadInput(field="caregiver_id", value=named, expected="nobody but yourself")
        return actor.caregiver_id or ""
    if Method(shown.method) is not Method.MANUAL:
        raise NotAllowed(
            field="method", action="check_in", role=actor.role.value, needs=Method.MANUAL.value
        )
    if named is None:
        raise BadInput(field="caregiver_id", value=None, expected="whose visit is corrected")
    return named


def _consented(session: Session, row: Row[Any], shown: Shown) -> Shown:
    """Return evidence without a photo where the elder does not want any kept."""
    has_photo = shown.phash is not None or shown.method == Method.GPS_PHOTO.value
    if not has_photo or not consents.is_withdrawn(session, row.elder_id, "photo"):
        return shown
    method = Method.GPS.value if shown.method == Method.GPS_PHOTO.value else shown.method
    return replace(shown, method=method, phash=None, taken_at=None)


def _checked(ports: Ports, row: Row[Any], shown: Shown, at: datetime) -> Shown:
    try:
        method = Method(shown.method)
    except ValueError:
        raise BadInput(
            field="method", value=shown.method, expected=[m.value for m in Method]
        ) from None
    if (shown.lat is None) != (shown.lng is None):
        raise BadInput(field="lng", value=shown.lng, expected="both coordinates or none")
    if shown.phash is not None and not re.fullmatch(r"[0-9a-f]{16}", shown.phash):
        raise BadInput(field="phash", value=shown.phash, expected="16 hexadecimal digits")
    rules.check_evidence(
        method=method,
        at_device=shown.at_device,
        received_at=at,
        offline=shown.offline,
        has_place=shown.lat is not None,
        note=shown.note,
    )
    if method is Method.HOME_CODE and not homecode.is_code(
        ports.vault, row.elder_id, shown.code or "", shown.at_device
    ):
        raise rules.CodeWrong(field="code", expected="the six digits that the home shows now")
    return shown


def card_facts(
    session: Session, ports: Ports, row: Row[Any], shown: Shown, at: datetime
) -> dict[str, Any]:
    """Read the card that is shown for a work order, and use a printed code up.

    A card that may not be used is written down with the reason and keeps the money held; only a
    number that nobody has is turned away, since it is mistyped.
    """
    if Method(shown.method) is not Method.CARD:
        return {}
    if not shown.code:
        raise BadInput(field="code", value=None, expected="the card's number or the printed code")
    found = cards.read(session, ports.vault, shown.code, at=at, elder_id=row.elder_id)
    found = cards.use(session, ports.vault, shown.code, at=at, work_order_id=row.id, found=found)
    return {"card_id": found.card_id, "card": found.why or rules.CARD_OK}


def _evidence(kind: str, shown: Shown, actor: Actor, at: datetime, **more: Any) -> NewEvidence:
    facts: dict[str, Any] = {
        **more,
        "phash": shown.phash,
        "taken_at": shown.taken_at.astimezone(UTC).isoformat() if shown.taken_at else None,
        "mock_location": shown.mock_location or None,
        "rooted": shown.rooted or None,
        "trust": rules.trust(Method(shown.method), offline=shown.offline)
        if more.get("card", rules.CARD_OK) == rules.CARD_OK
        else rules.LEAST_TRUST,
    }
    return NewEvidence(
        id=shown.evidence_id,
        kind=kind,
        method=shown.method,
        at_device=shown.at_device,
        received_at=at,
        by_account=actor.user_id,
        lat=shown.lat,
        lng=shown.lng,
        accuracy_m=shown.accuracy_m,
        device_id=shown.device_id,
        offline=shown.offline,
        note=shown.note,
        facts={k: v for k, v in facts.items() if v is not None},
    )


def check_out(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CheckOutRequest
) -> VisitState:
    """End a visit on evidence; when the whole crew is out, judge it.

    Verified: the work order is ``done`` and waits for the elder's word. Held or blocked: it is
    ``disputed``, the money stays held, a person decides.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="check_out",
        request=request,
        answer=VisitState,
        run=lambda at: _check_out(session, ports, actor, request, at),
    )


def _check_out(
    session: Session, ports: Ports, actor: Actor, request: CheckOutRequest, at: datetime
) -> VisitState:
    visit = visits.get(session, request.visit_id)
    row = orders.work_order(session, visit.work_order_id)
    policy.require(actor, Action.CHECK_OUT, subjects.about_work_order(session, actor, row))
    _who(actor, visit.caregiver_id, request.shown)
    orders.locked_for_change(session, [row.id])
    shown = _checked(ports, row, _consented(session, row, request.shown), at)
    if shown.at_device < visit.check_in_at:
        raise BadInput(
            field="at_device", value=shown.at_device.isoformat(), expected="not before the check-in"
        )
    is_first = visits.end(session, visit.id, check_out_at=shown.at_device)
    card = card_facts(session, ports, row, shown, at)
    visits.add_evidence(session, visit.id, _evidence("check_out", shown, actor, at, **card))
    if is_first:
        _finish(session, row.id, at=at, actor=actor)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="check_out",
        subject_kind="work_order",
        subject_id=row.id,
        visit_id=visit.id,
        method=shown.method,
    )
    return _state(session, visit.id)


def _finish(session: Session, work_order_id: str, *, at: datetime, actor: Actor) -> None:
    """Judge a work order whose whole crew is out."""
    row = orders.work_order(session, work_order_id)
    crew = visits.of_work_order(session, work_order_id)
    if len(crew) < row.crew or any(v.check_out_at is None for v in crew):
        return
    close(session, row, at=at, actor=actor)


def close(session: Session, row: Row[Any], *, at: datetime, actor: Actor) -> None:
    """End a service with what the rules say of it: ``done``, or ``disputed`` where they ask a person.

    Where the elder showed a card at the end, that is the elder's word and the hold is captured.
    """
    said = judge.judge_work_order(session, row)
    orders.move(session, row.id, expected=State.IN_SERVICE, to=State.DONE, at=at, actor=actor)
    asked = sorted({f.rule for v, fs in said for f in fs if f.action in ("hold", "block")})
    if asked:
        orders.move(
            session,
            row.id,
            expected=State.DONE,
            to=State.DISPUTED,
            at=at,
            actor=actor,
            reason=",".join(asked),
        )
        return
    if _card_was_shown(session, row.id) and confirm.settle_if_due(
        session, row.id, at=at, actor=actor, reason="card"
    ):
        return
    outbox.post(
        session,
        due_at=at,
        channel="sms",
        recipient_kind="elder",
        recipient_id=row.elder_id,
        template="please_confirm",
        about=row.id,
        work_order_id=row.id,
    )


def _card_was_shown(session: Session, work_order_id: str) -> bool:
    """Say whether every member of the crew left on a card that is the elder's."""
    crew = visits.of_work_order(session, work_order_id)
    return all(
        any(
            e.kind == "check_out"
            and e.method == Method.CARD.value
            and e.facts.get("card") == rules.CARD_OK
            for e in visits.evidence_of(session, v.id)
        )
        for v in crew
    )


def _state(session: Session, visit_id: str) -> VisitState:
    visit = visits.get(session, visit_id)
    return VisitState(
        visit_id=visit.id,
        work_order_id=visit.work_order_id,
        caregiver_id=visit.caregiver_id,
        state=orders.work_order(session, visit.work_order_id).state,
        check_in_at=visit.check_in_at,
        check_out_at=visit.check_out_at,
        verdict=visit.verdict,
        findings=list(visit.findings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAccessRequest:
    """Nobody opened. ``visit_id`` and ``shown`` prove that the caregiver was there."""

    work_order_id: str
    visit_id: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class NoAccess:
    """The work order ended at a closed door; ``fee_fen`` of own money pays the way."""

    work_order_id: str
    state: str
    fee_fen: int
    welfare_check: bool


def report_no_access(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: NoAccessRequest
) -> NoAccess:
    """End a work order at a closed door: the hold is released, the vendor gets the way's fee.

    The second time in a row the hotline is asked to look after the elder at once: who does not open
    may lie on the floor.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="report_no_access",
        request=request,
        answer=NoAccess,
        run=lambda at: _no_access(session, ports, actor, request, at),
    )


def _no_access(
    session: Session, ports: Ports, actor: Actor, request: NoAccessRequest, at: datetime
) -> NoAccess:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.REPORT_NO_ACCESS, subjects.about_work_order(session, actor, row))
    shown = _checked(ports, row, request.shown, at)
    if shown.lat is None:
        raise BadInput(field="lat", value=None, expected="the position at the door")
    begins = min(a.starts_at for a in orders.assignments(session, [row.id])[row.id])
    if shown.at_device < begins + NO_ACCESS_WAIT:
        raise rules.WaitAtTheDoor(
            field="at_device", earliest_at=(begins + NO_ACCESS_WAIT).astimezone(UTC).isoformat()
        )
    before = orders.last_ended(session, row.elder_id, row.visit_on)
    again = before is not None and before.state == State.NO_ACCESS.value
    moved = orders.move(
        session,
        row.id,
        expected={State.ASSIGNED, State.IN_SERVICE},
        to=State.NO_ACCESS,
        at=at,
        actor=actor,
    )
    visit, _ = visits.begin(
        session,
        visit_id=request.visit_id,
        work_order=row,
        caregiver_id=actor.caregiver_id or "",
        check_in_at=shown.at_device,
        lat=shown.lat,
        lng=shown.lng,
    )
    visits.add_evidence(session, visit.id, _evidence("no_access", shown, actor, at))
    visits.end(session, visit.id, check_out_at=shown.at_device)
    released = vouchers.capture_fee(
        session, work_order_id=row.id, vendor_id=row.vendor_id, at=at, kind="no_access"
    )
    for template in ("no_access", "welfare_check") if again else ("no_access",):
        outbox.post(
            session,
            due_at=at,
            channel="screen",
            recipient_kind="role",
            recipient_id="hotline",
            template=template,
            about=row.id,
            elder_id=row.elder_id,
            work_order_id=row.id,
        )
    reason = "shut_twice" if again else "shut_door"
    check = NewFollowUp(
        kind="welfare",
        dedup_key=f"{reason}/{row.id}",
        elder_id=row.elder_id,
        work_order_id=row.id,
        reason=reason,
        due_at=at + LOOK_WITHIN,
    )
    follow_ups.open_one(session, check, at=at, by=actor.user_id)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="report_no_access",
        subject_kind="work_order",
        subject_id=row.id,
        fee_fen=released.fee_fen,
        welfare_check=again,
    )
    return NoAccess(row.id, moved.state, released.fee_fen, again)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptRequest:
    """Why a visit had to stop (one of ``INTERRUPT_REASONS``), shown as a check-out is."""

    visit_id: str
    reason: str
    shown: Shown


def interrupt(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: InterruptRequest
) -> VisitState:
    """Break a visit off; the money stays held until a person has decided what is due."""
    if request.reason not in INTERRUPT_REASONS:
        raise BadInput(field="reason", value=request.reason, expected=list(INTERRUPT_REASONS))
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="interrupt",
        request=request,
        answer=VisitState,
        run=lambda at: _interrupt(session, ports, actor, request, at),
    )


def _interrupt(
    session: Session, ports: Ports, actor: Actor, request: InterruptRequest, at: datetime
) -> VisitState:
    visit = visits.get(session, request.visit_id)
    row = orders.work_order(session, visit.work_order_id)
    policy.require(actor, Action.INTERRUPT, subjects.about_work_order(session, actor, row))
    _who(actor, visit.caregiver_id, request.shown)
    shown = _checked(ports, row, request.shown, at)
    orders.move(
        session,
        row.id,
        expected=State.IN_SERVICE,
        to=State.DISPUTED,
        at=at,
        actor=actor,
        reason=f"interrupted:{request.reason}",
    )
    for each in visits.of_work_order(session, row.id):
        visits.end(session, each.id, check_out_at=max(shown.at_device, each.check_in_at))
    visits.add_evidence(session, visit.id, _evidence("interrupt", shown, actor, at))
    judge.judge_work_order(session, row)
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        recipient_kind="role",
        recipient_id="hotline",
        template="visit_interrupted",
        about=row.id,
        work_order_id=row.id,
        reason=request.reason,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="interrupt",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.reason,
        visit_id=visit.id,
    )
    return _state(session, visit.id)
