"""The words of codes: states, roles, programmes, reasons and errors. Sentences live here only."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from marketplace.kernel.errors import DomainError

STATES: dict[str, tuple[str, str, Any]] = {
    "pooled": ("", "idle", _l("Waits for a vendor")),
    "offered": ("info", "route", _l("Offered")),
    "accepted": ("info", "check", _l("Accepted")),
    "assigned": ("info", "route", _l("Planned")),
    "in_service": ("info", "run", _l("Being served")),
    "done": ("wait", "wait", _l("Waits for confirmation")),
    "confirmed": ("ok", "ok", _l("Completed")),
    "disputed": ("stop", "alert", _l("Held for checking")),
    "settled": ("ok", "ok", _l("Settled")),
    "cancelled": ("", "idle", _l("Cancelled")),
    "no_access": ("wait", "home", _l("Nobody opened")),
    "no_show": ("stop", "stop", _l("Helper did not come")),
    "expired": ("", "idle", _l("Lapsed")),
    "invalidated": ("stop", "stop", _l("Voided")),
}
"""State -> tone, icon, word. One word each, no synonyms."""

ROLES: dict[str, Any] = {
    "elder": _l("Elder"),
    "family": _l("Family"),
    "hotline": _l("Hotline operator"),
    "community": _l("Community worker"),
    "vendor": _l("Vendor"),
    "caregiver": _l("Caregiver"),
    "street": _l("Street office"),
    "bureau": _l("Civil affairs"),
    "auditor": _l("Auditor"),
}

LEFT_OUT: dict[str, Any] = {}
"""Reason of an order left out -> sentence; filled from the dispatcher's own reasons below."""

ERRORS: dict[str, Any] = {
    "not_found": _l("There is no such thing, or it is not yours to see."),
    "not_allowed": _l("Your role does not allow this."),
    "conflict": _l("Somebody else changed this first. Load the page again."),
    "wrong_state": _l("This order has moved on in the meantime. Load the page again."),
    "key_reused": _l("This was sent before with other content. Load the page again."),
    "bad_input": _l("One answer does not fit. Look at the marked line."),
}
"""Error code -> sentence. Facts of the error may be named as ``%(fact)s``."""

_UNKNOWN = _l("This could not be done. Nothing was changed, no money and no voucher was moved.")


def error_sentence(error: DomainError) -> str:
    """Return the sentence for a refusal, with its facts filled in."""
    sentence = str(ERRORS.get(error.code, _UNKNOWN))
    try:
        return sentence % error.facts if "%(" in sentence else sentence
    except (KeyError, TypeError, ValueError):
        return str(_UNKNOWN)
