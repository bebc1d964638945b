"""Vendors on the market: why one says no or is passed by, what became of a suspended one's visits."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

DECLINE_REASONS: dict[str, Any] = {
    "no_capacity": _l("No one is free"),
    "too_far": _l("Too far"),
    "no_skill": _l("Nobody has the skill"),
    "licence": _l("Our licence does not cover it"),
    "elder_asked_for_another": _l("The elder asked for another vendor"),
    "price": _l("The price does not cover the cost"),
    "other": _l("Another reason"),
}
"""Why a vendor says no; the codes are the workflow's."""

PASSED_REASONS: dict[str, Any] = {
    "declined": _l("You declined it"),
    "expired": _l("You did not answer in time"),
    "suspended": _l("You were suspended"),
    "category": _l("This kind of service is not registered for you"),
    "district": _l("This district is not registered for you"),
    "licence": _l("The licence for it was missing or had ended"),
    "no_skill": _l("None of your people on duty had the skill"),
    "no_caregiver_in_circle": _l("None of your people was within 15 minutes"),
    "outside_all_shifts": _l("None of your people near was on shift then"),
    "cheaper_elsewhere": _l("Another helper was nearer, known to the elder, or freer then"),
    "below_share": _l("Another vendor was further below its share"),
}
"""Why an order went to another vendor."""

MOVE_OUTCOMES: dict[str, Any] = {
    "offered": _l("offered to another vendor"),
    "pooled": _l("left to the day's plan"),
    "stuck": _l("could not be moved"),
}
"""What became of a suspended vendor's visit."""

NOT_MOVED: dict[str, Any] = {
    "in_service": _l("it has begun"),
    "window_passed": _l("its time has passed"),
    "its_site": _l("it is given at the vendor's own place"),
    "asked_enough": _l("enough vendors were asked"),
    "no_vendor": _l("no other vendor is there"),
    "capacity": _l("the others are full"),
    "credit": _l("the others have too little credit"),
    "asked_already": _l("the others were asked already"),
    "licence": _l("the others lack the licence"),
    "district": _l("no other vendor serves the district"),
    "category": _l("no other vendor offers the service"),
    "suspended": _l("the others are suspended"),
}
"""Why a visit stayed where it was; codes without a word stand as they are."""
