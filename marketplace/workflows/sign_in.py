"""Who may sign in: make an account, give a new password, forget a lost second factor, close it."""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, dataclass, replace

from sqlalchemy.orm import Session

from marketplace.accounts import service as accounts
from marketplace.accounts.service import NewAccount
from marketplace.elders import access
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import today
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotFound
from marketplace.kernel.ports import Ports
from marketplace.workflows import policy
from marketplace.workflows.policy import Action
from vendors import caregivers, registry

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
BINDINGS: dict[Role, tuple[str, ...]] = {
    Role.ELDER: ("elder_id",),
    Role.HOTLINE: (),
    Role.COMMUNITY: ("town_code",),
    Role.VENDOR: ("vendor_id",),
    Role.CAREGIVER: ("caregiver_id",),
    Role.STREET: ("town_code",),
    Role.BUREAU: (),
    Role.AUDITOR: (),
}
"""What an account of a role must be bound to. A family's is made with a parent's code, never here."""

MAY_HAVE: dict[Role, tuple[str, ...]] = {
    Role.BUREAU: ("district_code",),
    Role.AUDITOR: ("district_code",),
}
"""What an account may be bound to besides; without it, it is the whole city's."""

_BOUND = ("elder_id", "vendor_id", "caregiver_id", "district_code", "town_code")


@dataclass(frozen=True, slots=True)
class SignIn:
    """An account after the step. ``password`` is shown once and kept nowhere; empty where it stays."""

    username: str
    role: str
    active: bool
    password: str = ""


def add_account(session: Session, ports: Ports, actor: Actor, *, request: NewAccount) -> SignIn:
    """Make an account with a first password, which its owner changes.

    No command key keeps the answer, since it holds the password: a repeat finds the name taken.
    Raises ``BadInput`` naming the field.
    """
    username = request.username.strip().lower()
    if not USERNAME.fullmatch(username):
        raise BadInput(
            field="username", value=username, expected="2 to 40 small letters and digits"
        )
    if not 1 <= len(request.display_name.strip()) <= 80:
        raise BadInput(field="name", value=request.display_name, expected="1 to 80 characters")
    with transaction(session):
        policy.require(actor, Action.KEEP_ACCOUNTS)
        bound = _bound(session, ports, request)
        password = _new_password()
        new = replace(bound, username=username, display_name=request.display_name.strip())
        account_id = accounts.create_account(session, new, password=password)
        _record(session, ports, actor, "add_account", account_id, role=new.role.value)
    return SignIn(username, new.role.value, True, password)


def _bound(session: Session, ports: Ports, request: NewAccount) -> NewAccount:
    """Return the account with the scope of its role; raises where a part lacks or is too much."""
    must = BINDINGS.get(request.role)
    if must is None:
        raise BadInput(field="role", value=request.role.value, expected=sorted(BINDINGS))
    given = {k: v for k, v in asdict(request).items() if k in _BOUND and v}
    for field in must:
        if field not in given:
            raise BadInput(field=field, value="", expected=f"whose account of role {request.role}")
    for field in given.keys() - {*must, *MAY_HAVE.get(request.role, ())}:
        raise BadInput(field=field, value=given[field], expected=f"nothing for {request.role}")
    on = today(ports.clock)
    if "elder_id" in given:
        access.facts(session, given["elder_id"], on=on)
    if "vendor_id" in given and not registry.vendor_facts(session, only=[given["vendor_id"]]):
        raise NotFound(field="vendor_id", kind="vendor", id=given["vendor_id"])
    for field, digits in (("town_code", 9), ("district_code", 6)):
        if field in given and not re.fullmatch(rf"\d{{{digits}}}", given[field], re.ASCII):
            raise BadInput(field=field, value=given[field], expected=f"{digits} digits")
    if "caregiver_id" in given:
        person = caregivers.facts(session, given["caregiver_id"], on=on)
        return replace(request, vendor_id=person.vendor_id)
    if "town_code" in given:
        return replace(request, district_code=given["town_code"][:6])
    return request


def new_password(session: Session, ports: Ports, actor: Actor, *, username: str) -> SignIn:
    """Give an account a new password; every session and token of it ends."""
    with transaction(session):
        policy.require(actor, Action.KEEP_ACCOUNTS)
        row = accounts.get(session, username)
        password = _new_password()
        accounts.set_password(session, row.id, password)
        _record(session, ports, actor, "new_password", row.id)
    return SignIn(row.username, row.role, row.active, password)


def forget_second_factor(session: Session, ports: Ports, actor: Actor, *, username: str) -> SignIn:
    """Forget the second factor of a lost phone; the next sign-in sets up another."""
    with transaction(session):
        policy.require(actor, Action.KEEP_ACCOUNTS)
        row = accounts.get(session, username)
        accounts.forget_second_factor(session, row.id)
        _record(session, ports, actor, "forget_second_factor", row.id)
    return SignIn(row.username, row.role, row.active)


def set_active(
    session: Session, ports: Ports, actor: Actor, *, username: str, active: bool, reason: str
) -> SignIn:
    """Close an account, whose sessions and tokens end at once, or open it again."""
    if not reason.strip():
        raise BadInput(field="reason", value="", expected="why")
    with transaction(session):
        policy.require(actor, Action.KEEP_ACCOUNTS)
        row = accounts.get(session, username)
        accounts.set_active(session, row.id, active=active)
        action = "open_account" if active else "close_account"
        _record(session, ports, actor, action, row.id, reason=reason.strip()[:200])
    return SignIn(row.username, row.role, active)


def _new_password() -> str:
    return secrets.token_urlsafe(12)


def _record(
    session: Session, ports: Ports, actor: Actor, action: str, account_id: str, **more: str
) -> None:
    audit.record(
        session,
        at=ports.clock.now(),
        actor=actor,
        action=action,
        subject_kind="account",
        subject_id=account_id,
        **more,
    )
