"""Grants on application, the charity purse and hours of helping: asked for, decided, filled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.elders.facts import facts_of
from marketplace.elders.models import Elder
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.commands import once_for_number
from marketplace.kernel.errors import BadInput, DomainError, NotFound, WrongState
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.vouchers import changes, purses, rights
from marketplace.vouchers.eligibility import Decision, decide
from marketplace.vouchers.models import GrantApplication
from marketplace.vouchers.terms import Terms
from marketplace.workflows import subjects
from marketplace.workflows.policy import About, Action, require
from marketplace.workflows.step import run_step

MOST_FEN = 1_000_000
"""The most that may be put into a charity purse at once: 10,000 yuan. An assumption."""


class NotEntitled(DomainError):
    """The programme's rules do not cover this person. Facts: ``programme``, ``fact``, ``wanted``,
    ``found``, ``missing``."""


@dataclass(frozen=True, slots=True)
class ApplyForGrant:
    """Which programme for whom; ``note`` says what is wanted (which rooms, which aids)."""

    elder_id: str
    programme_code: str
    note: str


@dataclass(frozen=True, slots=True)
class DecideApplication:
    """A decision on an application: ``approve`` or refuse, with its reason."""

    application_id: str
    approve: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Application:
    """Where an application stands: applied, approved or refused; the purse once it is approved."""

    application_id: str
    state: str
    account_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class TopUp:
    """An elder's own money for the charity purse, in fen; ``receipt`` names the payment."""

    elder_id: str
    fen: int
    receipt: str


@dataclass(frozen=True, slots=True)
class CreditHours:
    """Verified hours of helping, in minutes; ``record`` names the volunteer register's entry."""

    elder_id: str
    minutes: int
    record: str


@dataclass(frozen=True, slots=True)
class GiveHours:
    """Hours given to kin, in minutes; ``relation`` in plain words."""

    from_elder_id: str
    to_elder_id: str
    minutes: int
    relation: str


@dataclass(frozen=True, slots=True)
class PurseFilled:
    """A purse and what came into it: own money or hours, and the gift beside them."""

    account_id: str
    own: int
    gift: int
    ends_on: date


def apply_for_grant(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ApplyForGrant
) -> Application:
    """Ask for a grant that is given on application; a second person decides.

    Raises ``NotEntitled`` with the rule that decided, before anybody waits for an answer.
    """

    def run(at: datetime) -> Application:
        elder = _elder(session, actor, Action.APPLY_FOR_GRANT, request.elder_id, at)
        terms = _terms(session, request.programme_code, elder, at, grant="application")
        _entitled(session, terms, elder.id, at)
        row = GrantApplication(
            id=new_id(),
            programme_code=terms.code,
            elder_id=elder.id,
            home_sha256=purses.home_sha256(elder.district_code, elder.address),
            note=request.note.strip()[:200],
            state="applied",
            applied_by=actor.user_id,
            applied_at=at,
        )
        session.add(row)
        sha256 = rights.application_sha256(vars(row))
        _record(session, at, actor, "apply_for_grant", row, None, row_sha256=sha256)
        return Application(row.id, "applied", "", 0)

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="apply_for_grant",
        request=request,
        answer=Application,
        run=run,
    )


def decide_application(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: DecideApplication
) -> Application:
    """Approve or refuse an application; never one's own entry.

    An approval is asked of the register again, takes the home for the programme's years
    (``GrantedBefore``), and is paid from the year's budget (``BudgetTooSmall``).
    """
    if not request.reason.strip():
        raise BadInput(field="reason", value="", expected="why it is decided so")

    def run(at: datetime) -> Application:
        row = session.get(GrantApplication, request.application_id, populate_existing=True)
        if row is None:
            raise NotFound(kind="grant_application", id=request.application_id)
        elder = session.get_one(Elder, row.elder_id)
        about = About(
            kind="grant_application",
            id=row.id,
            district_code=elder.district_code,
            town_code=elder.town_code,
            entered_by=row.applied_by,
        )
        require(actor, Action.DECIDE_APPLICATION, about)
        state = "approved" if request.approve else "refused"
        account_id, amount = "", 0
        _move(session, row, state, actor, at, request.reason)
        if request.approve:
            account_id, amount = _grant(session, row, elder, at)
        outbox.post(
            session,
            due_at=at,
            channel="sms",
            recipient_kind="elder",
            recipient_id=row.elder_id,
            template=f"grant.{state}",
            about=row.id,
            programme_code=row.programme_code,
            amount=amount,
        )
        _record(
            session,
            at,
            actor,
            "decide_application",
            row,
            request.reason.strip(),
            state=state,
            account_id=account_id,
            amount=amount,
        )
        return Application(row.id, state, account_id, amount)

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="decide_application",
        request=request,
        answer=Application,
        run=run,
    )


def top_up(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: TopUp
) -> PurseFilled:
    """Put an elder's own money into the charity purse, once for its receipt; the gift is added."""
    if not 0 < request.fen <= MOST_FEN:
        raise BadInput(field="fen", value=request.fen, expected=f"1 to {MOST_FEN}")
    if not request.receipt.strip():
        raise BadInput(field="receipt", value="", expected="the payment's number")

    def run(at: datetime) -> PurseFilled:
        elder = _elder(session, actor, Action.TOP_UP, request.elder_id, at)
        terms = _terms(session, "CHAR", elder, at, grant="top_up")
        _entitled(session, terms, elder.id, at)
        of = f"top_up/{elder.district_code}"
        once_for_number(session, of=of, number=request.receipt, field="receipt", at=at)
        filled = purses.top_up(
            session,
            terms,
            elder_id=elder.id,
            district_code=elder.district_code,
            fen=request.fen,
            at=at,
        )
        return _filled(session, at, actor, "top_up", elder.id, filled, receipt=request.receipt)

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="top_up",
        request=request,
        answer=PurseFilled,
        run=run,
    )


def credit_hours(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CreditHours
) -> PurseFilled:
    """Credit verified hours of helping to an elder's account, in whole blocks, once for their record."""
    if not request.record.strip():
        raise BadInput(field="record", value="", expected="the volunteer register's entry")

    def run(at: datetime) -> PurseFilled:
        elder = _elder(session, actor, Action.CREDIT_HOURS, request.elder_id, at)
        terms = _terms(session, "TB", elder, at, grant="earned")
        _whole_blocks(terms, request.minutes)
        _entitled(session, terms, elder.id, at)
        of = f"credit_hours/{elder.district_code}"
        once_for_number(session, of=of, number=request.record, field="record", at=at)
        filled = purses.earn_hours(
            session,
            terms,
            elder_id=elder.id,
            district_code=elder.district_code,
            minutes=request.minutes,
            at=at,
        )
        return _filled(session, at, actor, "credit_hours", elder.id, filled, record=request.record)

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="credit_hours",
        request=request,
        answer=PurseFilled,
        run=run,
    )


def give_hours(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: GiveHours
) -> PurseFilled:
    """Give earned hours to a relative in the register; never for money."""
    if request.from_elder_id == request.to_elder_id:
        raise BadInput(field="to_elder_id", value=request.to_elder_id, expected="somebody else")
    if not request.relation.strip():
        raise BadInput(field="relation", value="", expected="how they are related")

    def run(at: datetime) -> PurseFilled:
        giver = _elder(session, actor, Action.GIVE_HOURS, request.from_elder_id, at)
        kin = session.get(Elder, request.to_elder_id)
        if kin is None:
            raise NotFound(kind="elder", id=request.to_elder_id)
        terms = _terms(session, "TB", kin, at, grant="earned")
        _whole_blocks(terms, request.minutes)
        _entitled(session, terms, kin.id, at)
        filled = purses.give_hours(
            session,
            terms,
            from_elder_id=giver.id,
            to_elder_id=kin.id,
            district_code=kin.district_code,
            minutes=request.minutes,
            at=at,
        )
        return _filled(
            session,
            at,
            actor,
            "give_hours",
            giver.id,
            filled,
            to_elder_id=kin.id,
            relation=request.relation[:40],
        )

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="give_hours",
        request=request,
        answer=PurseFilled,
        run=run,
    )


def _elder(session: Session, actor: Actor, action: Action, elder_id: str, at: datetime) -> Elder:
    """Return an elder whom the actor reaches and who is alive."""
    facts = access.facts(session, elder_id, on=local(at).date())
    require(actor, action, subjects.about_elder(session, actor, facts))
    elder = session.get_one(Elder, elder_id, populate_existing=True)
    if elder.status == "dead":
        raise WrongState(id=elder_id, state="dead", expected=["active", "away"])
    return elder


def _terms(session: Session, code: str, elder: Elder, at: datetime, *, grant: str) -> Terms:
    terms = changes.book(session).terms_of(code, local(at).date(), elder.district_code)
    if terms.grant != grant:
        raise BadInput(field="programme_code", value=code, expected=f"a programme by {grant}")
    return terms


def _entitled(session: Session, terms: Terms, elder_id: str, at: datetime) -> Decision:
    on = local(at).date()
    decision = decide(terms, facts_of(session, [elder_id], on)[elder_id])
    if not decision.entitled:
        rule = decision.deciding
        raise NotEntitled(
            programme=terms.code,
            fact=rule.fact if rule else "",
            wanted=rule.wanted if rule else "",
            found=rule.found if rule else "",
            missing=list(decision.missing),
        )
    return decision


def _whole_blocks(terms: Terms, minutes: int) -> None:
    if minutes <= 0 or minutes % terms.block_min:
        raise BadInput(field="minutes", value=minutes, expected=f"a multiple of {terms.block_min}")


def _grant(session: Session, row: GrantApplication, elder: Elder, at: datetime) -> tuple[str, int]:
    on = local(at).date()
    terms = _terms(session, row.programme_code, elder, at, grant="application")
    decision = _entitled(session, terms, elder.id, at)
    purses.take_home(session, terms, home=row.home_sha256, on=on)
    filled = purses.award(
        session,
        terms,
        terms.tier(decision.tier),
        elder_id=elder.id,
        district_code=elder.district_code,
        at=at,
    )
    return filled.account_id, decision.amount


def _move(
    session: Session,
    row: GrantApplication,
    state: str,
    actor: Actor,
    at: datetime,
    reason: str,
) -> None:
    moved = session.execute(
        update(GrantApplication)
        .where(GrantApplication.id == row.id, GrantApplication.state == "applied")
        .values(state=state, decided_by=actor.user_id, decided_at=at, reason=reason.strip()[:200])
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise WrongState(id=row.id, state=row.state, expected=["applied"])


def _record(
    session: Session,
    at: datetime,
    actor: Actor,
    action: str,
    row: GrantApplication,
    reason: str | None,
    **facts: str | int,
) -> None:
    audit.record(
        session,
        at=at,
        actor=actor,
        action=action,
        subject_kind="grant_application",
        subject_id=row.id,
        reason=reason[:200] if reason else None,
        programme_code=row.programme_code,
        elder_id=row.elder_id,
        **facts,
    )


def _filled(
    session: Session,
    at: datetime,
    actor: Actor,
    action: str,
    elder_id: str,
    filled: purses.Filled,
    **facts: str,
) -> PurseFilled:
    audit.record(
        session,
        at=at,
        actor=actor,
        action=action,
        subject_kind="elder",
        subject_id=elder_id,
        account_id=filled.account_id,
        own=filled.own,
        gift=filled.gift,
        **facts,
    )
    return PurseFilled(filled.account_id, filled.own, filled.gift, filled.ends_on)
