"""A relative's account and an elder: linked by the elder's consent and a code, limited by powers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from marketplace.accounts import service as accounts
from marketplace.accounts.service import NewAccount
from marketplace.elders import access, links
from marketplace.elders.links import POWERS
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import local
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCodeRequest:
    """For whom, what the relative may do, and the recording of the consent where it was by voice."""

    elder_id: str
    powers: list[str]
    reference: str = ""


@dataclass(frozen=True, slots=True)
class LinkCodeMade:
    """The code as it is shown once, and until when it is good."""

    elder_id: str
    code: str
    expires_at: datetime


def make_link_code(
    session: Session, ports: Ports, actor: Actor, *, request: LinkCodeRequest
) -> LinkCodeMade:
    """Make a code that links one relative, once, within half an hour; only its hash is kept.

    The elder asks at their own page; the hotline and the community need the reference of the
    elder's spoken consent. No command key keeps the answer: the code is written nowhere.
    """
    chosen = [p for p in POWERS if p in request.powers]
    if not chosen or set(request.powers) - set(POWERS):
        raise BadInput(field="powers", value=request.powers, expected=list(POWERS))
    with transaction(session):
        at = ports.clock.now()
        elder = access.facts(session, request.elder_id, on=local(at).date())
        policy.require(actor, Action.LINK_FAMILY, subjects.about_elder(session, actor, elder))
        if actor.role is not Role.ELDER and not request.reference.strip():
            raise BadInput(
                field="reference", value="", expected="the recording of the elder's consent"
            )
        is_own = actor.role is Role.ELDER
        code = links.make_code(
            session,
            ports.vault,
            elder_id=elder.id,
            powers=chosen,
            consent="home" if is_own else f"voice:{request.reference.strip()}",
            at=at,
            by=actor.user_id,
        )
        audit.record(
            session,
            at=at,
            actor=actor,
            action="make_link_code",
            subject_kind="elder",
            subject_id=elder.id,
            powers=chosen,
        )
    return LinkCodeMade(elder.id, code.text, code.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCodeRequest:
    """The code that the elder read out, and who the relative is."""

    code_index: str
    name: str
    relation: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The elder whom the account may now act for, and how far."""

    elder_id: str
    powers: list[str]


def use_link_code(
    session: Session, ports: Ports, actor: Actor, *, key: str, code: str, name: str, relation: str
) -> Linked:
    """Link the account of a relative; the elder is told by message. Raises ``LinkCodeWrong``."""
    # What is kept of the request is the hash: the code itself is written nowhere.
    request = UseCodeRequest(
        code_index=links.index_of(ports.vault, code), name=name, relation=relation
    )
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="use_link_code",
        request=request,
        answer=Linked,
        run=lambda at: _use(session, ports, actor, code, request, at),
    )


def _use(
    session: Session,
    ports: Ports,
    actor: Actor,
    code: str,
    request: UseCodeRequest,
    at: datetime,
) -> Linked:
    policy.require(actor, Action.USE_LINK_CODE)
    if not request.name.strip() or not request.relation.strip():
        raise BadInput(field="name", value=request.name, expected="your name and who you are")
    row = links.use_code(session, ports.vault, code, account_id=actor.user_id, at=at)
    link_id = links.add_link(
        session,
        code=row,
        account_id=actor.user_id,
        name=request.name.strip(),
        relation=request.relation.strip(),
        at=at,
    )
    outbox.post(
        session,
        due_at=at,
        channel="sms",
        recipient_kind="elder",
        recipient_id=row.elder_id,
        template="family_linked",
        about=link_id,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="use_link_code",
        subject_kind="elder",
        subject_id=row.elder_id,
        link_id=link_id,
        powers=row.powers,
    )
    return Linked(row.elder_id, row.powers.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """Who the relative is, and the name under which they want to sign in."""

    name: str
    relation: str
    username: str


def join_family(
    session: Session, ports: Ports, *, code: str, password: str, request: JoinRequest
) -> Linked:
    """Make a family account for the holder of a good code and link it, in one transaction.

    A code is good once, so that no command key is needed: the repeat of a join is refused.
    Raises ``BadInput`` naming the field, ``LinkCodeWrong``.
    """
    if not 1 <= len(request.name) <= 40 or not 1 <= len(request.relation) <= 20:
        raise BadInput(field="name", value=request.name, expected="your name and who you are")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{3,39}", request.username):
        raise BadInput(
            field="username", value=request.username, expected="4 to 40 small letters and digits"
        )
    with transaction(session):
        at = ports.clock.now()
        new = NewAccount(username=request.username, display_name=request.name, role=Role.FAMILY)
        account_id = accounts.create_account(session, new, password=password)
        actor = Actor(account_id, Role.FAMILY)
        used = UseCodeRequest(
            code_index=links.index_of(ports.vault, code),
            name=request.name,
            relation=request.relation,
        )
        return _use(session, ports, actor, code, used, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowersRequest:
    """A link and what it may do from now on; nothing at all ends it."""

    link_id: str
    powers: list[str]


@dataclass(frozen=True, slots=True)
class PowersSet:
    """The link's powers now, empty where it has ended."""

    link_id: str
    powers: list[str]


def set_powers(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: PowersRequest
) -> PowersSet:
    """Change or end what a relative may do; it holds from their next request on."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="set_powers",
        request=request,
        answer=PowersSet,
        run=lambda at: _set_powers(session, actor, request, at),
    )


def _set_powers(session: Session, actor: Actor, request: PowersRequest, at: datetime) -> PowersSet:
    if set(request.powers) - set(POWERS):
        raise BadInput(field="powers", value=request.powers, expected=list(POWERS))
    row = links.link_of(session, request.link_id)
    elder = access.facts(session, row.elder_id, on=local(at).date())
    policy.require(actor, Action.LINK_FAMILY, subjects.about_elder(session, actor, elder))
    links.set_powers(session, row.id, request.powers, at=at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="set_powers",
        subject_kind="family_link",
        subject_id=row.id,
        powers=request.powers,
    )
    return PowersSet(row.id, [p for p in POWERS if p in request.powers])
