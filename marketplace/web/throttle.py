"""How often somebody may try: to sign in, by address and by account, and to guess the code of a home."""

from __future__ import annotations

from apiflask import APIFlask
from flask import Response, g, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user

from marketplace.web.auth import current_actor

MOST_WRONG_CODES = 30
"""Six digits are guessed in a million tries: so many wrong ones in five minutes are enough."""

_GUESSING = f"{MOST_WRONG_CODES} per 5 minutes"
_SIGN_IN = "sign-in"


def register(app: APIFlask) -> None:
    """Slow down every door: pages and API count what was tried against one account together."""
    for endpoint in (
        "security.login",
        "security.two_factor_token_validation",
        "security.verify",
        "security.change_password",
        "api_tokens.create_token",
    ):
        _slow_sign_in(app, endpoint)
    # A right password costs a slow hash too.
    endpoint = "api_tokens.create_token"
    app.view_functions[endpoint] = _limiter(app).limit("60 per 5 minutes")(
        app.view_functions[endpoint]
    )
    for endpoint in (
        "api_visits.check_in",
        "api_visits.check_out",
        "api_visits.confirm_visit",
        "api_redeem.read_at_site",
    ):
        view = app.view_functions[endpoint]
        limit = _limiter(app).limit(_GUESSING, key_func=_who, deduct_when=_was_refused)
        app.view_functions[endpoint] = limit(view)
    # A phone sends many things at once and is answered one by one: each wrong code counts. The page
    # of a site answers a wrong card by sending on to its next reading.
    for endpoint in ("caregiver.send", "site.read"):
        app.view_functions[endpoint] = _limiter(app).limit(
            _GUESSING,
            key_func=_who,
            deduct_when=lambda response: wrong_codes() > 0,
            cost=lambda: max(wrong_codes(), 1),
        )(app.view_functions[endpoint])
    # Eight letters of 31 are nearly a million million codes; ten wrong ones in five minutes are enough.
    for endpoint in ("family.link", "family.join"):
        app.view_functions[endpoint] = _limiter(app).limit(
            "10 per 5 minutes", deduct_when=_was_no_success
        )(app.view_functions[endpoint])


def count_wrong_code() -> None:
    """Count a wrong code of a home in this request."""
    g.wrong_codes = wrong_codes() + 1


def wrong_codes() -> int:
    """Return how many wrong codes this request has brought so far."""
    found: int = g.get("wrong_codes", 0)
    return found


def _limiter(app: APIFlask) -> Limiter:
    found: Limiter = next(iter(app.extensions["limiter"]))
    return found


def _slow_sign_in(app: APIFlask, endpoint: str) -> None:
    """Count tries that fail: of one name at one address, of one address, of one account anywhere.

    One address alone cannot shut an account: what it may try in an hour stays below the account's.
    """
    for much, who, counts in (
        ("10 per 5 minutes", _address_and_name, _was_no_success),
        ("100 per 5 minutes", _address, _was_no_success),
        ("200 per hour", _name, _was_no_success),
        ("30 per hour", _name_and_code, _was_wrong_code),
    ):
        shared = _limiter(app).shared_limit(
            much, scope=_SIGN_IN, key_func=who, exempt_when=_is_no_try, deduct_when=counts
        )
        app.view_functions[endpoint] = shared(app.view_functions[endpoint])


def _is_no_try() -> bool:
    return request.method != "POST"


def _was_no_success(response: Response) -> bool:
    return response.status_code not in (201, 302, 429)


def _was_wrong_code(response: Response) -> bool:
    """Return whether the password was right and the second factor was not."""
    at_code = request.endpoint == "security.two_factor_token_validation"
    return wrong_codes() > 0 or (at_code and _was_no_success(response))


def _was_refused(response: Response) -> bool:
    return response.status_code == 422


def _who() -> str:
    return current_actor().user_id


def _address() -> str:
    return f"at/{get_remote_address()}"


def _address_and_name() -> str:
    return f"{get_remote_address()}/{_name()}"


def _name_and_code() -> str:
    return f"code/{_name()}"


def _name() -> str:
    """Return whose account is tried: by the name that was typed, else by what this session knows."""
    body = request.get_json(silent=True) if request.is_json else request.form
    typed = body.get("username") if hasattr(body, "get") else None
    if isinstance(typed, str) and typed.strip():
        return f"name/{typed.strip().lower()[:80]}"
    # Between password and code the library keeps whose turn it is; a signed-in one is asked again.
    known = session.get("tf_user_id") or current_user.get_id()
    return f"account/{known or '-'}"
