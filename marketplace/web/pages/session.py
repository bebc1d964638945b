"""Signing in and out, language, type size: what belongs to the device and the session."""

from __future__ import annotations

from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, request
from flask_babel import gettext as _
from flask_login import current_user
from flask_security.utils import logout_user
from werkzeug.wrappers import Response

from marketplace.web.auth import EVERYONE, allow, public
from marketplace.web.i18n import LANGUAGES
from marketplace.web.pages.frame import home_of, signed_in_role

bp = APIBlueprint("session", __name__, enable_openapi=False)

_A_YEAR_S = 365 * 24 * 3600


@bp.get("/")
@public
def home() -> Response:
    """Send everyone to their first page."""
    role = signed_in_role()
    if role is None:
        return redirect("/sign-in")
    return redirect(home_of(role))


@bp.post("/look")
@public
def look() -> Response:
    """Keep the language, the type size or the contrast on this device and go back."""
    response = redirect(_inside(request.form.get("back", "/")))
    if (lang := request.form.get("lang")) in LANGUAGES:
        _keep(response, "lang", str(lang))
    chosen = set(request.cookies.get("look", "").split("-")) & {"larger", "high"}
    for name in ("larger", "high"):
        if name in request.form:
            (chosen.add if request.form[name] == "1" else chosen.discard)(name)
    _keep(response, "look", "-".join(sorted(chosen)))
    return response


@bp.post("/sessions/end")
@allow(*EVERYONE)
def end_sessions() -> Response:
    """Sign this account out everywhere: every session and every token of it ends."""
    datastore = current_app.extensions["accounts"]
    account = current_user._get_current_object()
    datastore.set_uniquifier(account)
    datastore.set_token_uniquifier(account)
    datastore.commit()
    logout_user()
    flash(_("Signed out on every device."), "ok")
    return redirect("/sign-in")


def _inside(address: str) -> str:
    """Return the address if it stays on this site, else the first page."""
    parts = urlsplit(address)
    clean = not parts.scheme and not parts.netloc and address.startswith("/")
    return address if clean and not address.startswith(("//", "/\\")) else "/"


def _keep(response: Response, name: str, value: str) -> None:
    settings = current_app.extensions["settings"]
    response.set_cookie(
        name,
        value,
        max_age=_A_YEAR_S,
        httponly=True,
        samesite="Lax",
        secure=settings.secure_cookies,
    )
