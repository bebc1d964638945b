"""The rotating six-digit code of a home, shown on the elder's card, phone or page.

A time-based one-time code (RFC 6238) of a secret that is derived from the data key and the elder's
id, so that nothing has to be stored or can be read from the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from passlib.exc import TokenError
from passlib.totp import TOTP

from marketplace.kernel.crypto import Vault

PERIOD_S = 300
"""A code is shown for five minutes; the one before it is still taken, for slow fingers."""


@dataclass(frozen=True, slots=True)
class HomeCode:
    """The code now, until when it is shown, and what its QR picture says."""

    code: str
    valid_until: datetime
    qr: str


def _totp(vault: Vault, elder_id: str) -> TOTP:
    secret = bytes.fromhex(vault.index(f"home-code/{elder_id}"))
    return TOTP(key=secret, format="raw", digits=6, period=PERIOD_S, alg="sha256")


def code_of(vault: Vault, elder_id: str, at: datetime) -> HomeCode:
    """Return the code that a home shows at an instant."""
    token = _totp(vault, elder_id).generate(time=at)
    until = datetime.fromtimestamp(token.expire_time, UTC)
    return HomeCode(token.token, until, f"NUANJU:HOME:{elder_id}:{token.token}")


def is_code(vault: Vault, elder_id: str, text: str, at: datetime) -> bool:
    """Say whether a typed code or a scanned QR text was the home's within the last minutes."""
    head, _, tail = text.strip().rpartition(":")
    if head and head != f"NUANJU:HOME:{elder_id}":
        return False
    if not (tail.isascii() and tail.isdigit() and len(tail) == 6):
        return False
    try:
        _totp(vault, elder_id).match(tail, time=at, window=PERIOD_S)
    except TokenError:
        return False
    return True
