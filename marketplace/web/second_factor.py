"""One-time codes are used once: the library leaves to us to remember which was the last."""

from __future__ import annotations

from flask_security.totp import Totp
from passlib.exc import TokenError

from marketplace.accounts.models import Account
from marketplace.accounts.service import use_code
from marketplace.web.at_hand import session


class CodesUsedOnce(Totp):  # type: ignore[misc]
    """Accepts a code once, and none from before it: whoever saw it being typed has nothing of it.

    The database decides: of two requests that bring one code at once, one gets in.
    """

    def verify_totp(self, token: str, totp_secret: str, user: Account, window: int = 0) -> bool:
        """Return whether the code fits and is the account's first of its half minute.

        ``window``: seconds before and after now. The request's own commit keeps that it was used.
        """
        try:
            match = self._totp.verify(token, totp_secret, window=window)
        except TokenError:
            return False
        return use_code(session(), user.id, counter=match.counter)
