"""Personal data: show a full identity number with a reason, note every look, give and take consents,
keep the caregivers whom an elder refuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from marketplace.elders import access, consents, looks, refusals
from marketplace.elders.consents import PURPOSES
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import local
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotAllowed
from marketplace.kernel.ports import Ports
from marketplace.orders import listed, plans, standing
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import About, Action
from marketplace.workflows.step import run_step
from vendors import caregivers


def _about(session: Session, actor: Actor, elder_id: str, at: datetime) -> About:
    elder = access.facts(session, elder_id, on=local(at).date())
    return subjects.about_elder(session, actor, elder)


# ---------------------------------------------------------------- the identity number


@dataclass(frozen=True, slots=True)
class RevealRequest:
    """Whose identity number, and what it is needed for."""

    elder_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Revealed:
    """The identity number in full."""

    elder_id: str
    id_number: str


@dataclass(frozen=True, slots=True)
class _Allowed:
    elder_id: str


def reveal_id_number(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RevealRequest
) -> Revealed:
    """Show an identity number in full to the role that needs it; the look is kept with its reason.

    The number is opened after the look is committed and is never part of a kept answer. A repeat with
    the same key opens it again, so that it is asked about and kept again.
    """
    if len(request.reason.strip()) < 2 or len(request.reason) > 200:
        raise BadInput(
            field="reason", value=request.reason[:40], expected="why, in 2 to 200 characters"
        )
    fresh: list[datetime] = []

    def run(at: datetime) -> _Allowed:
        fresh.append(at)
        return _reveal(session, actor, request, at)

    allowed = run_step(
        session,
        ports,
        actor,
        key=key,
        command="reveal_id_number",
        request=request,
        answer=_Allowed,
        run=run,
    )
    if not fresh:
        with transaction(session):
            _reveal(session, actor, request, ports.clock.now())
    sealed = access.id_number_sealed(session, allowed.elder_id)
    session.rollback()
    return Revealed(allowed.elder_id, ports.vault.open(sealed))


def _reveal(session: Session, actor: Actor, request: RevealRequest, at: datetime) -> _Allowed:
    about = _about(session, actor, request.elder_id, at)
    policy.require(actor, Action.REVEAL_ID_NUMBER, about)
    reason = request.reason.strip()
    looks.note(session, actor, [(request.elder_id, "id_number")], at=at, reason=reason)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="reveal_id_number",
        subject_kind="elder",
        subject_id=request.elder_id,
        reason=reason,
    )
    return _Allowed(request.elder_id)


# ---------------------------------------------------------------- who looked at whose file


def seen_file(session: Session, actor: Actor, elder_id: str, what: str) -> None:
    """Remember that an actor is being shown a part of an elder's file; ``write_looks`` keeps it.

    What an elder sees of the own file, and what the system reads, is no look.
    """
    if actor.role is Role.SYSTEM or (actor.role is Role.ELDER and elder_id in actor.elder_ids):
        return
    session.info.setdefault("looks", set()).add((actor, elder_id, what))


def write_looks(session: Session, ports: Ports) -> int:
    """Keep the looks of this session, before anybody is answered; return how many are new."""
    waiting: set[tuple[Actor, str, str]] = session.info.pop("looks", set())
    if not waiting:
        return 0
    with transaction(session):
        at = ports.clock.now()
        return sum(
            looks.note(session, actor, [(e, w) for a, e, w in waiting if a == actor], at=at)
            for actor in {a for a, _, _ in waiting}
        )


@dataclass(frozen=True, slots=True)
class LookView:
    """One look: when, who in which role, at what and, where one was asked for, the reason."""

    id: int
    at: datetime
    actor_id: str
    role: str
    what: str
    reason: str


def looks_into(
    session: Session,
    ports: Ports,
    actor: Actor,
    elder_id: str,
    *,
    before: int | None = None,
    limit: int = 100,
) -> list[LookView]:
    """Return who looked into an elder's file, the latest first, to the elder or who audits."""
    at = ports.clock.now()
    policy.require(actor, Action.SEE_LOOKS, _about(session, actor, elder_id, at))
    return [
        LookView(r.id, r.at, r.actor_id, r.role, r.what, r.reason)
        for r in looks.of_elder(session, elder_id, before=before, limit=limit)
    ]


# ---------------------------------------------------------------- consents


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """Whose consent for what. ``reference``: the recording or visit in which the elder said so."""

    elder_id: str
    purpose: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class ConsentState:
    """Whether a consent holds now; ``changed`` is false where it did already."""

    elder_id: str
    purpose: str
    holds: bool
    changed: bool


def give_consent(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ConsentRequest
) -> ConsentState:
    """Write an elder's consent for a purpose."""
    return _consent(session, ports, actor, key, request, holds=True)


def withdraw_consent(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ConsentRequest
) -> ConsentState:
    """Take an elder's consent for a purpose back; its effects end at once."""
    return _consent(session, ports, actor, key, request, holds=False)


def _consent(
    session: Session,
    ports: Ports,
    actor: Actor,
    key: str,
    request: ConsentRequest,
    *,
    holds: bool,
) -> ConsentState:
    if request.purpose not in PURPOSES:
        raise BadInput(field="purpose", value=request.purpose[:40], expected=list(PURPOSES))
    command = "give_consent" if holds else "withdraw_consent"

    def run(at: datetime) -> ConsentState:
        about = _about(session, actor, request.elder_id, at)
        policy.require(actor, Action.KEEP_CONSENT, about)
        if request.purpose == access.KIN_CARE and holds and actor.role is not Role.BUREAU:
            raise NotAllowed(action=command, role=actor.role.value, needs=Role.BUREAU.value)
        if actor.role is not Role.ELDER and not request.reference:
            raise BadInput(
                field="reference", value="", expected="the recording or visit in which it was said"
            )
        by = request.reference or actor.user_id
        if holds:
            changed = consents.give(
                session, request.elder_id, request.purpose, at=at, by=by, text_version="1"
            )
        else:
            changed = consents.withdraw(session, request.elder_id, request.purpose, at=at, by=by)
        audit.record(
            session,
            at=at,
            actor=actor,
            action=command,
            subject_kind="elder",
            subject_id=request.elder_id,
            reason=request.reference or None,
            purpose=request.purpose,
            changed=changed,
        )
        return ConsentState(request.elder_id, request.purpose, holds, changed)

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command=command,
        request=request,
        answer=ConsentState,
        run=run,
    )


@dataclass(frozen=True, slots=True)
class ConsentView:
    """One purpose and whether its consent holds; ``since`` where it was given or withdrawn in words."""

    purpose: str
    holds: bool
    since: datetime | None


def consents_of(session: Session, ports: Ports, actor: Actor, elder_id: str) -> list[ConsentView]:
    """Return what an elder consents to, every purpose."""
    at = ports.clock.now()
    policy.require(actor, Action.SEE_CONSENTS, _about(session, actor, elder_id, at))
    latest = {r.purpose: r for r in consents.of_elder(session, elder_id)}
    shown = []
    for purpose in PURPOSES:
        row = latest.get(purpose)
        if row is None:
            shown.append(ConsentView(purpose, purpose != access.KIN_CARE, None))
        else:
            since = row.withdrawn_at or row.given_at
            shown.append(ConsentView(purpose, row.withdrawn_at is None, since))
    return shown


# ---------------------------------------------------------------- caregivers whom an elder refuses


@dataclass(frozen=True, slots=True)
class RefuseRequest:
    """Which caregiver an elder or the family does not want, and why where they say it."""

    elder_id: str
    caregiver_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefusalState:
    """Whether the caregiver is refused now; ``given_back``: visits that need somebody else."""

    elder_id: str
    caregiver_id: str
    is_refused: bool
    given_back: list[str]


def refuse_caregiver(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RefuseRequest
) -> RefusalState:
    """Keep a caregiver away from an elder; visits planned with them go back to be planned anew."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="refuse_caregiver",
        request=request,
        answer=RefusalState,
        run=lambda at: _refuse(session, actor, request, at),
    )


def _refuse(session: Session, actor: Actor, request: RefuseRequest, at: datetime) -> RefusalState:
    policy.require(actor, Action.REFUSE_CAREGIVER, _about(session, actor, request.elder_id, at))
    today = local(at).date()
    caregivers.facts(session, request.caregiver_id, on=today)
    refusals.refuse(
        session,
        request.elder_id,
        request.caregiver_id,
        reason=request.reason.strip()[:200],
        by=actor.user_id,
        role=actor.role.value,
        at=at,
    )
    given_back = _give_back(session, actor, request, today, at)
    standing.forget_preference(session, request.elder_id, request.caregiver_id)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="refuse_caregiver",
        subject_kind="elder",
        subject_id=request.elder_id,
        caregiver_id=request.caregiver_id,
        given_back=given_back,
    )
    return RefusalState(request.elder_id, request.caregiver_id, True, given_back)


def _give_back(
    session: Session, actor: Actor, request: RefuseRequest, today: date, at: datetime
) -> list[str]:
    """Take a refused caregiver off visits that are not begun; the vendor keeps them and sends another."""
    rows = listed.of_elder_between(
        session, request.elder_id, today, None, states={State.ASSIGNED, State.OFFERED}
    )
    crews = plans.assignments(session, [r.id for r in rows])
    hit = [r for r in rows if request.caregiver_id in {a.caregiver_id for a in crews.get(r.id, [])}]
    for row in hit:
        plans.drop_assignments(session, [row.id])
        if row.state == State.ASSIGNED.value:
            orders.move(
                session,
                row.id,
                expected=State.ASSIGNED,
                to=State.ACCEPTED,
                at=at,
                actor=actor,
                reason="caregiver_refused",
            )
    return [r.id for r in hit]


def allow_caregiver(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RefuseRequest
) -> RefusalState:
    """Take a refusal back."""

    def run(at: datetime) -> RefusalState:
        policy.require(actor, Action.REFUSE_CAREGIVER, _about(session, actor, request.elder_id, at))
        was = refusals.withdraw(
            session, request.elder_id, request.caregiver_id, by=actor.user_id, at=at
        )
        audit.record(
            session,
            at=at,
            actor=actor,
            action="allow_caregiver",
            subject_kind="elder",
            subject_id=request.elder_id,
            caregiver_id=request.caregiver_id,
            changed=was,
        )
        return RefusalState(request.elder_id, request.caregiver_id, False, [])

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="allow_caregiver",
        request=request,
        answer=RefusalState,
        run=run,
    )


@dataclass(frozen=True, slots=True)
class RefusalView:
    """A caregiver whom the elder does not want, or did not until a day."""

    caregiver_id: str
    reason: str
    asked_role: str
    asked_at: datetime
    withdrawn_at: datetime | None


def refusals_of(session: Session, ports: Ports, actor: Actor, elder_id: str) -> list[RefusalView]:
    """Return the caregivers whom an elder refuses, withdrawn refusals included, the latest first."""
    at = ports.clock.now()
    policy.require(actor, Action.SEE_CONSENTS, _about(session, actor, elder_id, at))
    return [
        RefusalView(r.caregiver_id, r.reason, r.asked_role, r.asked_at, r.withdrawn_at)
        for r in refusals.of_elder(session, elder_id)
    ]
