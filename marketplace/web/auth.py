"""Who may open which route, and who is asking.

Every route declares its roles with ``@allow(...)`` or ``@public``; one guard in front of all routes
enforces it and refuses a route that declares nothing. What an actor may do with one object is decided
by the workflows' policy, never here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from apiflask import APIFlask
from flask import abort, current_app, g, redirect, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user, user_logged_in
from flask_security.core import Security
from flask_security.datastore import SQLAlchemyUserDatastore
from flask_security.forms import LoginForm
from flask_security.utils import get_request_attr, logout_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import DataRequired

from marketplace.accounts.models import STAFF, Account, RoleRow
from marketplace.accounts.service import LEAST_PASSWORD
from marketplace.config import Settings
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.errors import NotAllowed
from marketplace.queries.people import bound_elder_ids
from marketplace.web import at_hand
from marketplace.web.second_factor import CodesUsedOnce
from marketplace.workflows.privacy import write_looks

F = TypeVar("F", bound=Callable[..., Any])

EVERYONE = frozenset(Role) - {Role.SYSTEM}
"""Every role that signs in."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LIBRARY_ROUTES: dict[str, frozenset[Role]] = {
    "security.login": frozenset(),
    "security.logout": EVERYONE,
    "security.verify": EVERYONE,
    "security.change_password": EVERYONE,
    "security.two_factor_setup": frozenset(),
    "security.two_factor_setup_validate": EVERYONE,
    "security.two_factor_token_validation": frozenset(),
    # There is one kind of second factor and no mail: a lost phone is the keeper's of the accounts.
    "security.two_factor_rescue": EVERYONE,
    "security.tf_select": EVERYONE,
    "security.static": frozenset(),
    "openapi.spec": frozenset(),
}
"""Routes that libraries add. The two-factor ones keep their own state between password and code."""

csrf = CSRFProtect()


class UndeclaredRoute(RuntimeError):
    """A route says neither ``@allow`` nor ``@public``: a fault of ours, so nobody gets in."""


def allow(*roles: Role) -> Callable[[F], F]:
    """Declare that a route is open to these roles, signed in."""
    if not roles:
        raise ValueError("name at least one role, or use @public")

    def mark(view: F) -> F:
        view.access = frozenset(roles)  # type: ignore[attr-defined]
        return view

    return mark


def public(view: F) -> F:
    """Declare that a route is open to everybody, signed in or not."""
    view.access = frozenset()  # type: ignore[attr-defined]
    return view


def without_csrf(view: F) -> F:
    """Declare that a route takes credentials in its own body and needs no form token."""
    view.without_csrf = True  # type: ignore[attr-defined]
    return view


def access_of(app: APIFlask, endpoint: str) -> frozenset[Role] | None:
    """Return the roles of a route, an empty set where it is public, ``None`` where it says nothing."""
    if endpoint in _LIBRARY_ROUTES:
        return _LIBRARY_ROUTES[endpoint]
    return getattr(app.view_functions[endpoint], "access", None)


class Accounts(SQLAlchemyUserDatastore):
    """Finds accounts; what the database failed with is kept, since the library takes it for a stranger."""

    def find_user(self, *args: Any, **kwargs: Any) -> Any:
        """Return an account or nothing; raises what the database raises, and asks it no more."""
        if "database_away" in g:
            # The page that says so is drawn in the same request, and asks again who reads it.
            return None
        try:
            return super().find_user(*args, **kwargs)
        except SQLAlchemyError as error:
            g.database_away = error
            raise


class SignInForm(LoginForm):
    """Name and password; one message for both, so that nobody learns which names exist."""

    email = StringField()
    remember = None
    username = StringField(validators=[DataRequired()])

    def validate(self, **kwargs: Any) -> bool:
        """Find the account by its name, then let the library check the password."""
        if not super(LoginForm, self).validate(**kwargs):
            return False
        self.ifield = self.username
        datastore: SQLAlchemyUserDatastore = current_app.extensions["accounts"]
        name = (self.username.data or "").strip().lower()
        self.user = datastore.find_user(username=name)
        return super().validate(**kwargs)


def _limits_uri(redis_url: str | None) -> str:
    """Return where attempts are counted; the limiter has a name of its own for a Redis socket."""
    if not redis_url:
        return "memory://"
    return f"redis+{redis_url}" if redis_url.startswith("unix://") else redis_url


def register(app: APIFlask, db: SQLAlchemy, settings: Settings) -> None:
    """Set up sign-in, the second factor, form tokens, limits and the guard."""
    app.config.update(
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106  an algorithm's name
        SECURITY_PASSWORD_SALT=settings.secret("secret_key"),
        # Two passes over 19 MiB: the least that OWASP names; signing in stays under 50 ms.
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={
            "argon2__time_cost": 2,
            "argon2__memory_cost": 19456,
            "argon2__parallelism": 1,
        },
        SECURITY_USER_IDENTITY_ATTRIBUTES=[
            {"username": {"mapper": lambda name: name.strip().lower(), "case_insensitive": False}}
        ],
        SECURITY_LOGIN_URL="/sign-in",
        SECURITY_LOGOUT_URL="/sign-out",
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGIN_VIEW="/",
        SECURITY_POST_LOGOUT_VIEW="/sign-in",
        SECURITY_LOGIN_USER_TEMPLATE="sign_in.html",
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TWO_FACTOR_RESCUE_EMAIL=False,
        SECURITY_TWO_FACTOR_SETUP_TEMPLATE="second_factor_setup.html",
        SECURITY_TWO_FACTOR_VERIFY_CODE_TEMPLATE="second_factor.html",
        SECURITY_TOTP_SECRETS={"1": settings.secret("secret_key")},
        SECURITY_TOTP_ISSUER="Nuanju",
        SECURITY_TRACKABLE=True,
        SECURITY_DATETIME_FACTORY=lambda: datetime.now(UTC),
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        # Whoever changes the second factor has given the password just now; a token never suffices.
        SECURITY_FRESHNESS=timedelta(minutes=10),
        SECURITY_FRESHNESS_GRACE_PERIOD=timedelta(minutes=10),
        SECURITY_FRESHNESS_ALLOW_AUTH_TOKEN=False,
        SECURITY_VERIFY_TEMPLATE="verify.html",
        SECURITY_CHANGEABLE=True,
        SECURITY_CHANGE_URL="/password",
        SECURITY_CHANGE_PASSWORD_TEMPLATE="password.html",  # noqa: S106  a page
        SECURITY_SEND_PASSWORD_CHANGE_EMAIL=False,
        SECURITY_PASSWORD_LENGTH_MIN=LEAST_PASSWORD,
        # Tokens come in their header only: an address is kept by logs and histories.
        SECURITY_TOKEN_AUTHENTICATION_KEY=None,
        SECURITY_TOKEN_MAX_AGE=int(timedelta(hours=12).total_seconds()),
        SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS=False,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        SESSION_COOKIE_NAME="__Host-session" if settings.secure_cookies else "session",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        RATELIMIT_STORAGE_URI=_limits_uri(settings.redis_url),
    )
    csrf.init_app(app)
    Limiter(get_remote_address, app=app, in_memory_fallback_enabled=True)
    datastore = Accounts(db, Account, RoleRow)
    app.extensions["accounts"] = datastore
    Security(app, datastore, login_form=SignInForm, totp_cls=CodesUsedOnce)
    user_logged_in.connect(_begin_session, app)
    app.before_request(_guard)
    app.after_request(_keep_looks)


def by_token() -> bool:
    """Return whether the request carries a token instead of a session."""
    return bool(current_user.is_authenticated and get_request_attr("fs_authn_via") == "token")


def current_actor() -> Actor:
    """Return who is asking, with the scope of the account; raises ``NotAllowed`` for a stranger."""
    if not current_user.is_authenticated:
        raise NotAllowed
    if "actor" not in g:
        g.actor = _actor_of(current_user._get_current_object())
    actor: Actor = g.actor
    return actor


def _actor_of(account: Account) -> Actor:
    names = {row.name for row in account.roles}
    role = next((r for r in Role if r.value in names), None)
    if role is None or role is Role.SYSTEM:
        raise NotAllowed
    elder_ids: frozenset[str] = frozenset()
    if role is Role.ELDER and account.elder_id:
        elder_ids = frozenset({account.elder_id})
    elif role is Role.FAMILY:
        elder_ids = bound_elder_ids(at_hand.session(), account.id)
    return Actor(
        user_id=account.id,
        role=role,
        elder_ids=elder_ids,
        vendor_id=account.vendor_id,
        caregiver_id=account.caregiver_id,
        district_code=account.district_code,
        town_code=account.town_code,
    )


def _guard() -> Response | None:
    """Refuse, in this order: an undeclared route, a stranger, a forged form, another role."""
    if request.endpoint is None:
        return None
    roles = access_of(current_app, request.endpoint)
    if roles is None:
        raise UndeclaredRoute(request.endpoint)
    if current_user.is_authenticated:
        _end_stale_session()
    elif "database_away" in g:
        raise g.database_away
    if roles and not current_user.is_authenticated:
        return _ask_to_sign_in()
    if request.method not in _SAFE and not by_token():
        view = current_app.view_functions[request.endpoint]
        if not getattr(view, "without_csrf", False):
            csrf.protect()
    if roles and current_actor().role not in roles:
        raise NotAllowed(needed=sorted(roles))
    settings: Settings = current_app.extensions["settings"]
    if settings.demo and request.endpoint == "security.change_password":
        # A demonstration's passwords stand on its first page: one visitor must not lock out the next.
        raise NotAllowed
    return None


def _keep_looks(response: Response) -> Response:
    """Keep who was shown whose file before the answer leaves; without it nobody is answered."""
    if response.status_code < 400:
        write_looks(at_hand.session(), at_hand.ports())
    return response


def _ask_to_sign_in() -> Response:
    if request.path.startswith("/api/"):
        abort(401)
    back = request.full_path.rstrip("?") if request.method == "GET" else "/"
    where = "/sign-in" if back == "/" else "/sign-in?" + urlencode({"next": back})
    if request.headers.get("HX-Request"):
        # A fragment cannot hold the sign-in page; the browser is sent there whole.
        response = current_app.response_class(status=401)
        response.headers["HX-Redirect"] = where
        return response
    return redirect(where)  # type: ignore[return-value]


def _begin_session(_app: APIFlask, **_user: Any) -> None:
    """Let the clocks of a session begin with its sign-in, not with who was here before."""
    session.pop("began", None)
    session.pop("seen", None)


def _end_stale_session() -> None:
    """Sign staff out after their idle time; every session ends after twelve hours."""
    if by_token():
        return
    now = int(time.time())
    session.permanent = True
    began = session.setdefault("began", now)
    seen = session.get("seen", now)
    settings: Settings = current_app.extensions["settings"]
    is_staff = any(row.name in STAFF for row in current_user.roles)
    idle_s = settings.staff_idle_minutes * 60
    if now - began > 12 * 3600 or (is_staff and now - seen > idle_s):
        logout_user()
        session.clear()
        g.pop("actor", None)
        return
    # Live feeds ask by themselves and do not show that somebody sits there.
    if (now - seen > 60 or "seen" not in session) and request.endpoint != "live.stream":
        session["seen"] = now
