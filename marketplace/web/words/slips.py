"""Redemption without a telephone: a paper slip that two people read, a card read at a site."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

PAPER_READ: dict[str, Any] = {
    "slip_no": _l("the slip's number"),
    "caregiver_ids": _l("who came"),
    "began_at": _l("the beginning"),
    "ended_at": _l("the end"),
    "signed_by": _l("who signed"),
}
"""What is read on a paper slip -> its name where two readings differ."""

PAPER_PROBLEMS: dict[str, Any] = {
    "slip_no": _l("Type the number that is printed on the slip: letters, digits, dot and dash."),
    "caregiver_ids": _l("Choose each helper who came, nobody twice."),
    "began_at": _l(
        "Write the beginning as 9:30. A slip is entered within three days of the visit."
    ),
    "ended_at": _l("Write the end as 10:30, after the beginning and not ahead of now."),
    "signed_by": _l("Choose who signed the slip."),
    "too_early": _l(
        "The beginning lies more than 30 minutes before the time agreed. Look at the slip again."
    ),
    "caregiver_cannot_serve": _l("This helper was not planned for the visit or has left."),
}
"""Field of a slip, or code of its refusal -> what would fit."""

SIGNERS: dict[str, Any] = {
    "elder": _l("the elder"),
    "family": _l("a relative"),
    "mark": _l("the elder's fingerprint or seal"),
}
"""Who signed a paper slip."""

_NOTHING_MOVED = _l("Nothing was redeemed. 12349 has been told and rings you; you may ring first.")

CARD_REFUSED: dict[str, tuple[Any, Any]] = {
    "revoked": (_l("This card was taken out of use"), _NOTHING_MOVED),
    "expired": (_l("This card or sheet has run out"), _NOTHING_MOVED),
    "used": (
        _l("This code was used before"),
        _l("Nothing was redeemed. Read the next code of the sheet; none left: ring 12349."),
    ),
    "nothing_booked": (
        _l("Nothing is booked here today on this card"),
        _l("Nothing was redeemed. Ask where and when it was ordered, or ring 12349."),
    ),
    "already_taken": (
        _l("Already taken today"),
        _l("Nothing was paid twice. Hand out no second one; if it was not taken, ring 12349."),
    ),
    "just_begun": (
        _l("Read a moment ago, it has begun"),
        _l("Read the card again when the service ends."),
    ),
    "card_unknown": (
        _l("Nobody was given this card or code"),
        _l("Nothing was redeemed. Read it once more, or type what is printed on it."),
    ),
    "misread": (
        _l("One digit of the code is wrong"),
        _l("Nothing was redeemed. Type the ten digits once more as they are printed."),
    ),
    "crew": (
        _l("Another number of helpers serves this"),
        _l("Nothing was redeemed. Name the second helper, or leave that empty, and read it again."),
    ),
    "caregiver_cannot_serve": (
        _l("The helper chosen here cannot serve this"),
        _l("Nothing was redeemed. Choose another helper above and read it again."),
    ),
    "": (
        _l("Not redeemed"),
        _l("Nothing was redeemed. Try once more, or ring 12349."),
    ),
}
"""Why a card read at a site moved nothing -> what is said in large, and what to do."""


def card_word(why: str) -> str:
    """Return why a card was refused at a site, in short."""
    return str(CARD_REFUSED.get(why, CARD_REFUSED[""])[0])
