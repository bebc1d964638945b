"""Signing in for programs, and who is signed in."""

from __future__ import annotations

import unicodedata
from typing import Any

from apiflask import APIBlueprint
from flask import current_app
from flask_security.proxies import _security
from flask_security.utils import hash_password

from marketplace.accounts.models import Account
from marketplace.kernel.errors import DomainError
from marketplace.web.api.answers import Me, Token
from marketplace.web.api.bodies import SignIn
from marketplace.web.at_hand import session
from marketplace.web.auth import EVERYONE, allow, current_actor, public, without_csrf
from marketplace.web.throttle import count_wrong_code

bp = APIBlueprint("api_tokens", __name__, url_prefix="/api/v1", tag="Accounts")


class SignInRefused(DomainError):
    """Name, password or code is wrong; which of them is not said."""

    kind = "forbidden"


class SecondFactorMissing(DomainError):
    """Staff sign in with a code, and this account has none yet: a browser sets it up."""

    kind = "forbidden"


@bp.post("/tokens")
@bp.input(SignIn)
@bp.output(Token, status_code=201)
@public
@without_csrf
def create_token(json_data: SignIn) -> dict[str, Any]:
    """Sign in: a token for the header ``Authentication-Token``, valid for twelve hours."""
    datastore = current_app.extensions["accounts"]
    # As the sign-in page does: one form for a password, however it was typed.
    password = unicodedata.normalize("NFKD", json_data.password)
    account: Account | None = datastore.find_user(username=json_data.username.strip().lower())
    if account is None:
        # Take as long as for a wrong password, so that names cannot be tried out.
        hash_password(password)
        raise SignInRefused
    # The hash first: a closed account must not answer faster than a wrong password.
    if not account.verify_and_update_password(password) or not account.active:
        raise SignInRefused
    if account.check_tf_required_setup() and not account.tf_primary_method:
        raise SecondFactorMissing(field="code")
    if account.tf_primary_method and not _code_fits(account, json_data.code):
        count_wrong_code()
        raise SignInRefused(field="code")
    db = session()
    token = account.get_auth_token()
    role = account.roles[0].name if account.roles else ""
    answer = {"token": token, "user_id": account.id, "role": role}
    db.commit()
    return answer


def _code_fits(account: Account, code: str | None) -> bool:
    if code is None or account.tf_totp_secret is None:
        return False
    return bool(
        _security._totp_factory.verify_totp(
            token=code, totp_secret=account.tf_totp_secret, user=account, window=30
        )
    )


@bp.get("/me")
@bp.output(Me)
@allow(*sorted(EVERYONE))
def me() -> dict[str, Any]:
    """Say who is signed in, with the scope of the account."""
    actor = current_actor()
    return {
        "user_id": actor.user_id,
        "role": actor.role.value,
        "elder_ids": sorted(actor.elder_ids),
        "vendor_id": actor.vendor_id,
        "caregiver_id": actor.caregiver_id,
        "district_code": actor.district_code,
        "town_code": actor.town_code,
    }
