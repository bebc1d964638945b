"""What each message says to the person who gets it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from apiflask import APIFlask
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from marketplace.web.formats import clock, date_plain, yuan
from marketplace.web.i18n import CHINESE
from marketplace.web.words.money import programme_word

MESSAGES: dict[str, Any] = {
    # To elders and their families.
    "please_confirm": _l(
        "The visit on %(day)s has ended. If all was well you need do nothing; if not, ring 12349."
    ),
    "helper_changed": _l("Another helper comes to you on %(day)s. Questions: ring 12349."),
    "visit_moved": _l("The visit on %(day)s begins about %(time)s now. Questions: ring 12349."),
    "vendor_changes": _l(
        "Your vendor stops for now. %(num)s of your visits go to others; money and vouchers stay"
        " as they are. Where nobody is found yet, we ring you. Questions: 12349."
    ),
    "family_linked": _l(
        "A relative was linked to your file and sees what you allowed. If that was not you, ring 12349."
    ),
    "needs_help": _l("Your relative needs help. Please ring them now, or 12349."),
    "money.requoted": _l(
        "For the visit on %(day)s vouchers and grants pay another sum than we said: you pay"
        " %(own_after)s, not %(own_before)s. If you do not want that, ring 12349 to cancel."
    ),
    "money.reversed": _l("The payment of %(sum)s for the visit on %(day)s was taken back."),
    "money.given_back": _l(
        "%(sum)s of your own money was given back to you. If you did not get it, ring 12349."
    ),
    "grant.approved": _l("Your application was approved: %(programme)s. Questions: ring 12349."),
    "grant.refused": _l(
        "Your application was not approved: %(programme)s. Ring 12349 to hear why and what to do."
    ),
    # To vendors and caregivers.
    "offer_made": _l("A visit on %(day)s is offered to you. Answer it before its time runs out."),
    "visit_cancelled": _l("The visit on %(day)s was cancelled."),
    "visit_repaired": _l("Another helper goes to the visit on %(day)s; the first did not come."),
    "stop_added": _l("A visit on %(day)s was given to you. Look at your next visit."),
    "stop_moved": _l("Your visit on %(day)s begins at %(time)s now."),
    "visit_changed": _l(
        "Civil affairs or the hotline changed the visit on %(day)s. See the board."
    ),
    "stop_taken_over": _l("Somebody else goes to your visit on %(day)s."),
    "nobody_goes": _l("The visit on %(day)s has nobody now. Send somebody."),
    "complaint": _l("There is a complaint about the visit on %(day)s. Answer it."),
    "vendor_suspended": _l(
        "You are suspended: %(reason)s. Nothing new is offered to you and your visits go to others."
    ),
    "vendor_reinstated": _l("Your suspension has ended: visits are offered to you again."),
    "statement.issued": _l("Your statement of %(month)s is there. Look at it and confirm it."),
    "statement.released": _l("Your statement was released: %(sum)s is paid."),
    "holdback.released": _l("What was held back of your quarter was released: %(sum)s is paid."),
    # To the hotline, the street office and civil affairs.
    "no_access": _l("Nobody opened at the visit on %(day)s. Ring the elder."),
    "welfare_check": _l(
        "Nobody opened twice in a row, on %(day)s again. Send somebody to look in."
    ),
    "nobody_accepts": _l("No vendor takes the visit on %(day)s. Ring around."),
    "visit_interrupted": _l("The visit on %(day)s was broken off. Ring the elder and decide it."),
    "visit_not_moved": _l(
        "The visit on %(day)s of a suspended vendor went to nobody. Find somebody."
    ),
    "visit_flagged": _l(
        "Another authority's list speaks against the visit on %(day)s. Look at it and decide."
    ),
    "vendor_frauds": _l(
        "%(num)s frauds of vendor %(vendor)s are confirmed, %(sum)s was taken back. Suspend it and refer the"
        " case."
    ),
    "visit_not_verified": _l(
        "The visit on %(day)s could not be verified; its money is held. Decide it."
    ),
    "payment_aside": _l(
        "%(sum)s paid on bill %(bill)s for %(elder)s could not be booked. Find out whose it is: it is"
        " booked once the register has that number; else have the provider give it back."
    ),
    "card_refused": _l("A card was refused at a site. Ring the site and see who stands there."),
}
"""Template of a message -> its sentence. The facts in it are made from the message's values."""


def message_sentence(template: str, values: Mapping[str, Any]) -> str:
    """Return what a message says, in the reader's language."""
    return str(MESSAGES[template]) % _facts(values)


def _facts(values: Mapping[str, Any]) -> dict[str, str]:
    facts = {
        "num": str(values.get("num", "")),
        "month": str(values.get("period", "")),
        "reason": str(values.get("reason", "")),
        "bill": str(values.get("bill_id", "")),
        "elder": str(values.get("elder_id", "")),
        "vendor": str(values.get("vendor_id", "")),
    }
    if "day" in values:
        facts["day"] = date_plain(date.fromisoformat(values["day"]))
    if "start_s" in values:
        facts["time"] = clock(values["start_s"])
    if "programme_code" in values:
        facts["programme"] = programme_word(values["programme_code"])
    for fact, value in (
        ("sum", "fen"),
        ("own_before", "own_before_fen"),
        ("own_after", "own_after_fen"),
    ):
        if value in values:
            facts[fact] = yuan(values[value])
    return facts


class ChineseWording:
    """Says messages in Chinese outside of any request, for text messages and calls."""

    def __init__(self, app: APIFlask) -> None:
        self._app = app

    def text(self, template: str, values: Mapping[str, Any]) -> str:
        """Return the sentence of a message, signed."""
        with self._app.app_context(), force_locale(CHINESE):
            signature = _("[Nuanju]")
            return f"{signature}{message_sentence(template, values)}"
