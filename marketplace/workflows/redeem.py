"""Redemption without a smartphone: a card at a site, a phone call, a paper typed in by two people.

Each makes the same visit, evidence and work-order moves as a check-in and a check-out at the door,
and is judged by the same rules. What cannot be verified keeps the hold and goes to a person with the
reason; nothing of it is captured by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import access, consents
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import instant_of, local
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound, WrongState
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import cards, papers, rules
from marketplace.visits import service as visits
from marketplace.visits.fraud import HAND_OVER_MIN
from marketplace.visits.rules import Method
from marketplace.visits.service import NewEvidence
from marketplace.vouchers import service as vouchers
from marketplace.workflows import confirm, judge, policy, subjects
from marketplace.workflows.policy import About, Action
from marketplace.workflows.step import run_step
from marketplace.workflows.visit import close
from vendors import caregivers, registry
from vendors.models import Site
from vendors.rules import CaregiverCannotServe

LATEST = timedelta(days=3)
"""A call or a paper about a visit comes within three days of it."""

READ_TWICE = timedelta(minutes=2)
"""A second reading sooner than this is the same hand slipping, not the end of a service."""

_WAITS = frozenset({State.ACCEPTED.value, State.ASSIGNED.value, State.IN_SERVICE.value})


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What redeeming did. ``why``: empty, or the reason for which a person has to look.

    ``state`` is the work order's: ``in_service`` after the first of two readings, ``confirmed`` with
    ``captured_fen`` when the hold is captured, ``disputed`` when it is kept.
    """

    work_order_id: str | None
    elder_id: str | None
    state: str
    captured_fen: int = 0
    why: str = ""
    findings: list[str] = field(default_factory=list)


# ---------------------------------------------------------------- a card at a site


@dataclass(frozen=True, slots=True)
class SiteReading:
    """A card or printed code read at a site, and who serves there. ``reading_id`` is the reader's."""

    site_id: str
    reading_id: str
    code: str
    caregiver_ids: list[str]


def read_at_site(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: SiteReading
) -> Redeemed:
    """Redeem what the elder has booked at this site today by the card that is shown.

    A meal is handed over at one reading; a longer service begins at the first and ends at the second.
    A card that is revoked, expired or used up starts nothing: the hold stays and the hotline is told.
    """
    content = SiteReading(
        request.site_id,
        request.reading_id,
        ports.vault.index(f"shown/{cards.normal(request.code)}"),
        request.caregiver_ids,
    )
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="read_at_site",
        request=content,
        answer=Redeemed,
        run=lambda at: _at_site(session, ports, actor, request, at),
    )


def _site(session: Session, actor: Actor, site_id: str) -> Site:
    site = registry.sites(session).get(site_id)
    if site is None:
        raise NotFound(field="site_id", kind="site", id=site_id)
    about = About(kind="site", id=site_id, vendor_id=site.vendor_id)
    policy.require(actor, Action.REDEEM_AT_SITE, about)
    return site


def _at_site(
    session: Session, ports: Ports, actor: Actor, request: SiteReading, at: datetime
) -> Redeemed:
    site = _site(session, actor, request.site_id)
    found = cards.read(session, ports.vault, request.code, at=at)
    row = _booked(session, found.elder_id, site, at)
    if row is not None:
        orders.locked_for_change(session, [row.id])
        row = orders.work_order(session, row.id)
        if not found.why:
            found = cards.use(
                session, ports.vault, request.code, at=at, work_order_id=row.id, found=found
            )
    why = found.why or ("nothing_booked" if row is None else "")
    if why or row is None:
        return _refused(session, actor, site, found, row, why, at)
    crew = _crew(session, row, request.caregiver_ids, at)
    begun = {v.caregiver_id: v for v in visits.of_work_order(session, row.id)}
    proof = {
        "method": Method.CARD.value,
        "at": at,
        "note": "",
        "facts": {"card": rules.CARD_OK, "card_id": found.card_id, "site_id": site.id},
    }
    if not begun:
        rules.check_slot(
            at=at,
            opens_at=judge.opens_at(row),
            closes_at=instant_of(row.visit_on, row.window_end_s),
        )
        _begin(session, row, crew, began_at=at, place=site, at=at, actor=actor)
        _add(session, row.id, "check_in", request.reading_id, proof, actor)
        if row.service_s > HAND_OVER_MIN * 60:
            return _answer(session, row, actor, at, "read_at_site")
    elif at - min(v.check_in_at for v in begun.values()) < READ_TWICE:
        return _answer(session, row, actor, at, "read_at_site", why="just_begun")
    _end(session, row.id, at)
    _add(session, row.id, "check_out", request.reading_id if begun else new_id(), proof, actor)
    close(session, orders.work_order(session, row.id), at=at, actor=actor)
    return _answer(session, row, actor, at, "read_at_site")


def _booked(session: Session, elder_id: str, site: Site, at: datetime) -> Row[Any] | None:
    """Return what the elder has booked at a site now: what is begun first, then the earliest."""
    today = local(at).date()
    waiting = [
        w
        for w in orders.elder_day(session, elder_id, today)
        if w.site_id == site.id and w.vendor_id == site.vendor_id and w.state in _WAITS
    ]
    return min(
        waiting, key=lambda w: (w.state != State.IN_SERVICE.value, w.window_start_s), default=None
    )


def _refused(
    session: Session,
    actor: Actor,
    site: Site,
    found: cards.Read,
    row: Row[Any] | None,
    why: str,
    at: datetime,
) -> Redeemed:
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        recipient_kind="role",
        recipient_id="hotline",
        template="card_refused",
        about=new_id(),
        card_id=found.card_id,
        site_id=site.id,
        work_order_id=None if row is None else row.id,
        why=why,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="card_refused",
        subject_kind="elder",
        subject_id=found.elder_id,
        reason=why,
        card_id=found.card_id,
        site_id=site.id,
    )
    # Whoever holds a card that proves nothing is not told whose it is or what is booked on it.
    return Redeemed(None, None, "refused" if row is None else row.state, why=why)


# ---------------------------------------------------------------- the crew, the visit, the evidence


def _crew(session: Session, row: Row[Any], named: Sequence[str], at: datetime) -> list[str]:
    crew = sorted(set(named))
    if len(crew) != row.crew:
        raise BadInput(field="caregiver_ids", value=list(named), expected=f"{row.crew} caregivers")
    planned = {a.caregiver_id for a in orders.assignments(session, [row.id]).get(row.id, [])}
    for caregiver_id in crew:
        person = caregivers.facts(session, caregiver_id, on=row.visit_on)
        why = None
        if person.vendor_id != row.vendor_id:
            why = "vendor"
        elif person.status != "active":
            why = "left"
        elif row.is_stop and caregiver_id not in planned:
            why = "not_planned"
        if why is not None:
            raise CaregiverCannotServe(field="caregiver_ids", caregiver_id=caregiver_id, why=why)
    return crew


def _begin(
    session: Session,
    row: Row[Any],
    crew: Sequence[str],
    *,
    began_at: datetime,
    place: Any,
    at: datetime,
    actor: Actor,
) -> None:
    """Begin the visit of each of the crew; an accepted service at a site gets its people here."""
    if State(row.state) is State.ACCEPTED:
        ends = began_at + timedelta(seconds=row.service_s)
        orders.add_assignments(
            session,
            [
                {
                    "work_order_id": row.id,
                    "caregiver_id": c,
                    "run_id": None,
                    "starts_at": began_at,
                    "ends_at": ends,
                    "locked": True,
                }
                for c in crew
            ],
        )
        orders.move(session, row.id, expected=State.ACCEPTED, to=State.ASSIGNED, at=at, actor=actor)
    orders.move(session, row.id, expected=State.ASSIGNED, to=State.IN_SERVICE, at=at, actor=actor)
    for caregiver_id in crew:
        visits.begin(
            session,
            visit_id=new_id(),
            work_order=row,
            caregiver_id=caregiver_id,
            check_in_at=began_at,
            lat=place.lat,
            lng=place.lng,
        )


def _end(session: Session, work_order_id: str, ended_at: datetime) -> None:
    for v in visits.of_work_order(session, work_order_id):
        visits.end(session, v.id, check_out_at=max(ended_at, v.check_in_at))


def _add(
    session: Session,
    work_order_id: str,
    kind: str,
    evidence_id: str,
    proof: dict[str, Any],
    actor: Actor,
    *,
    said_at: datetime | None = None,
) -> None:
    """Add one piece of evidence for each of the crew, with the method's trust."""
    method = Method(proof["method"])
    facts = {"trust": rules.trust(method, offline=False), **proof["facts"]}
    for n, v in enumerate(visits.of_work_order(session, work_order_id)):
        visits.add_evidence(
            session,
            v.id,
            NewEvidence(
                id=evidence_id if n == 0 else new_id(),
                kind=kind,
                method=method.value,
                at_device=said_at or proof["at"],
                received_at=proof["at"],
                by_account=actor.user_id,
                note=proof["note"],
                facts=facts,
            ),
        )


def _answer(
    session: Session, row: Row[Any], actor: Actor, at: datetime, action: str, why: str = ""
) -> Redeemed:
    now = orders.work_order(session, row.id)
    crew = visits.of_work_order(session, row.id)
    found = sorted({f["rule"] for v in crew for f in v.findings if f["action"] != "review"})
    captured = now.price_fen if now.state == State.CONFIRMED.value else 0
    if captured:
        captured = sum(
            e.amount
            for e in vouchers.entries_of(session, row.id)
            if e.kind == "post" and e.unit == "fen"
        )
    if now.state == State.DISPUTED.value:
        why = why or ",".join(found)
        _ask_a_person(session, row, why, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action=action,
        subject_kind="work_order",
        subject_id=row.id,
        state=now.state,
        findings=found,
        fen=captured,
    )
    return Redeemed(row.id, row.elder_id, now.state, captured, why, found)


def _ask_a_person(session: Session, row: Row[Any], why: str, at: datetime) -> None:
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        recipient_kind="role",
        recipient_id="street",
        template="visit_not_verified",
        about=row.id,
        day=row.visit_on.isoformat(),
        work_order_id=row.id,
        why=why,
    )


# ---------------------------------------------------------------- a phone call


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
    _check_times(row, said.began_at, said.ended_at, at)
    if not said.recording.strip():
        raise BadInput(field="recording", value="", expected="the id of the call's recording")
    if consents.is_withdrawn(session, row.elder_id, "hotline_recording"):
        raise BadInput(
            field="recording", value=said.recording, expected="paper or the elder's card"
        )
    crew = _crew(session, row, said.caregiver_ids, at)
    ties = access.ties(session, row.elder_id)
    known = said.number_index in {ties.phone_index, *ties.family_phones}
    proof = {
        "method": Method.LANDLINE.value,
        "at": at,
        "note": said.recording,
        "facts": {"number": "known" if known else "unknown", "recording": said.recording},
    }
    _record_whole(session, row, crew, said.began_at, said.ended_at, proof, actor, at)
    close(session, orders.work_order(session, row.id), at=at, actor=actor)
    if orders.work_order(session, row.id).state == State.DONE.value:
        confirm.settle_if_due(session, row.id, at=at, actor=actor, reason="phone")
    return _answer(session, row, actor, at, "report_by_phone")


def _check_times(row: Row[Any], began: datetime, ended: datetime, at: datetime) -> None:
    if row.state not in _WAITS:
        raise WrongState(id=row.id, state=row.state, expected=sorted(_WAITS))
    if not began < ended <= at + rules.CLOCK_SKEW:
        raise BadInput(
            field="ended_at", value=ended.isoformat(), expected="after the beginning, not ahead"
        )
    if at - began > LATEST:
        raise BadInput(field="began_at", value=began.isoformat(), expected="of the last three days")
    rules.check_slot(
        at=began, opens_at=judge.opens_at(row), closes_at=instant_of(row.visit_on, row.window_end_s)
    )


def _record_whole(
    session: Session,
    row: Row[Any],
    crew: Sequence[str],
    began: datetime,
    ended: datetime,
    proof: dict[str, Any],
    actor: Actor,
    at: datetime,
) -> None:
    """Write a visit that is told afterwards; one that was begun at the door only gets its end."""
    if not visits.of_work_order(session, row.id):
        _begin(session, row, crew, began_at=began, place=row, at=at, actor=actor)
        _add(session, row.id, "check_in", new_id(), proof, actor, said_at=began)
    _end(session, row.id, ended)
    _add(session, row.id, "check_out", new_id(), proof, actor, said_at=ended)


# ---------------------------------------------------------------- a paper


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


def enter_paper(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: PaperEntry
) -> Redeemed:
    """Type a paper record in; a second person types it again without seeing the first's.

    Where both read the same, the visit ends as at a check-out and waits for the elder's word; where
    they differ the hold stays and a person looks at the paper.
    """
    if request.signed_by not in SIGNED_BY:
        raise BadInput(field="signed_by", value=request.signed_by, expected=list(SIGNED_BY))
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
        _check_times(row, request.began_at, request.ended_at, at)
        crew = _crew(session, row, request.caregiver_ids, at)
        papers.enter_first(
            session, row.id, slip_no=request.slip_no, typed=typed, by=actor.user_id, at=at
        )
        if not visits.of_work_order(session, row.id):
            _begin(session, row, crew, began_at=request.began_at, place=row, at=at, actor=actor)
        proof = _paper_proof(request, at, "first")
        _add(session, row.id, "check_in", new_id(), proof, actor, said_at=request.began_at)
        return _answer(session, row, actor, at, "enter_paper", why="second_person")
    if before.first_by == actor.user_id:
        raise NotAllowed(action="enter_paper", role=actor.role.value, needs="a second person")
    if row.state != State.IN_SERVICE.value:
        raise WrongState(id=row.id, state=row.state, expected=[State.IN_SERVICE.value])
    differs = papers.enter_second(session, before, typed=typed, by=actor.user_id, at=at)
    first_end = datetime.fromisoformat(before.first["ended_at"])
    _end(session, row.id, first_end)
    proof = _paper_proof(request, at, "differs" if differs else "same")
    _add(session, row.id, "check_out", new_id(), proof, actor, said_at=request.ended_at)
    close(session, orders.work_order(session, row.id), at=at, actor=actor)
    return _answer(session, row, actor, at, "enter_paper", why=",".join(differs))


def _typed(request: PaperEntry) -> dict[str, Any]:
    return {
        **asdict(request),
        "caregiver_ids": sorted(set(request.caregiver_ids)),
        "began_at": request.began_at.isoformat(),
        "ended_at": request.ended_at.isoformat(),
    }


def _paper_proof(request: PaperEntry, at: datetime, said: str) -> dict[str, Any]:
    facts = {"slip_no": request.slip_no, "signed_by": request.signed_by}
    if said != "first":
        facts["slip"] = said
    return {"method": Method.PAPER.value, "at": at, "note": request.slip_no, "facts": facts}
