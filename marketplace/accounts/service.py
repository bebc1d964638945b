"""Make accounts. Passwords are hashed by Flask-Security, so an application must be there."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask_security.utils import hash_password
from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.accounts.models import Account, AccountRole, RoleRow
from marketplace.kernel.actor import Role
from marketplace.kernel.errors import BadInput, NotFound
from marketplace.kernel.ids import new_id

LEAST_PASSWORD = 10
"""Characters of the shortest password that is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A person who shall sign in, and the scope of the role (see ``Actor``)."""

    username: str
    display_name: str
    role: Role
    elder_id: str | None = None
    vendor_id: str | None = None
    caregiver_id: str | None = None
    district_code: str | None = None
    town_code: str | None = None


def ensure_roles(session: Session) -> None:
    """Add the roles that are not there yet."""
    known = set(session.scalars(select(RoleRow.name)))
    fresh = [r.value for r in Role if r is not Role.SYSTEM and r.value not in known]
    if fresh:
        session.execute(insert(RoleRow), [{"id": name, "name": name} for name in fresh])


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account as its keeper sees it."""

    id: str
    username: str
    role: str
    active: bool


def get(session: Session, username: str) -> AccountFacts:
    """Return an account by its name for signing in; raises ``NotFound``."""
    wanted = username.strip().lower()
    row = session.scalars(select(Account).where(Account.username == wanted)).first()
    if row is None:
        raise NotFound(field="username", kind="account", id=wanted)
    return AccountFacts(row.id, row.username, row.roles[0].name if row.roles else "", row.active)


def set_password(session: Session, account_id: str, password: str) -> None:
    """Give another password; every session and token ends."""
    _check(password)
    _change(session, account_id, password=_hashed(password))


def set_active(session: Session, account_id: str, *, active: bool) -> None:
    """Close an account or open it; every session and token ends."""
    _change(session, account_id, active=active)


def forget_second_factor(session: Session, account_id: str) -> None:
    """Forget the second factor; every session and token ends."""
    _change(
        session,
        account_id,
        tf_primary_method=None,
        tf_totp_secret=None,
        tf_last_counter=None,
        mf_recovery_codes=None,
    )


def use_code(session: Session, account_id: str, *, counter: int) -> bool:
    """Take a one-time code by its half minute; ``False`` where it, or a later one, was used before."""
    last = Account.tf_last_counter
    taken = session.execute(
        update(Account)
        .where(Account.id == account_id, or_(last.is_(None), last < counter))
        .values(tf_last_counter=counter)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _change(session: Session, account_id: str, **values: object) -> None:
    session.execute(
        update(Account)
        .where(Account.id == account_id)
        .values(fs_uniquifier=uuid.uuid4().hex, fs_token_uniquifier=uuid.uuid4().hex, **values)
    )


def _hashed(password: str) -> str:
    # The sign-in page brings passwords into this form before it compares them.
    return str(hash_password(unicodedata.normalize("NFKD", password)))


def create_account(session: Session, new: NewAccount, *, password: str) -> str:
    """Add one account under a name that nobody has; return its id.

    The database decides who of two gets a name. Raises ``BadInput`` for a name that is taken, also by
    somebody at this moment, and for a password that is too short.
    """
    _check(password)
    username = new.username.strip().lower()
    ensure_roles(session)
    try:
        with session.begin_nested():
            return _insert(session, {username: new}, password)[username]
    except IntegrityError as taken:
        raise BadInput(field="username", value=username, expected="another name") from taken


def create_accounts(
    session: Session, accounts: Iterable[NewAccount], *, password: str
) -> dict[str, str]:
    """Add accounts that share one first password; return user name -> account id.

    Names that exist are left as they are and returned too, so a second run changes nothing.
    Raises ``BadInput`` where the password is too short.
    """
    _check(password)
    wanted = {a.username.strip().lower(): a for a in accounts}
    ensure_roles(session)
    known = session.execute(
        select(Account.username, Account.id).where(Account.username.in_(wanted))
    ).all()
    found: dict[str, str] = {row.username: row.id for row in known}
    fresh = {name: new for name, new in wanted.items() if name not in found}
    return found | (_insert(session, fresh, password) if fresh else {})


def _check(password: str) -> None:
    if len(password) < LEAST_PASSWORD:
        raise BadInput(field="password", value="", expected=f">= {LEAST_PASSWORD}")


def _insert(session: Session, fresh: Mapping[str, NewAccount], password: str) -> dict[str, str]:
    """Add accounts and their roles by user name; return their ids."""
    ids = {name: new_id() for name in fresh}
    # One hash for all: they share the password until each changes it.
    hashed = _hashed(password)
    session.execute(insert(Account), [_row(new, n, ids[n], hashed) for n, new in fresh.items()])
    roles = [{"account_id": ids[n], "role_id": new.role.value} for n, new in fresh.items()]
    session.execute(insert(AccountRole), roles)
    return ids


def _row(new: NewAccount, username: str, account_id: str, hashed: str) -> dict[str, object]:
    return {
        "id": account_id,
        "username": username,
        "email": f"{username}@accounts.invalid",
        "display_name": new.display_name,
        "password": hashed,
        "active": True,
        "fs_uniquifier": uuid.uuid4().hex,
        "fs_token_uniquifier": uuid.uuid4().hex,
        "login_count": 0,
        "elder_id": new.elder_id,
        "vendor_id": new.vendor_id,
        "caregiver_id": new.caregiver_id,
        "district_code": new.district_code,
        "town_code": new.town_code,
    }
