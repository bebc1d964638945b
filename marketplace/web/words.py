"""The words of codes: states, roles, programmes, reasons and errors. Sentences live here only."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from marketplace.kernel.errors import DomainError
from marketplace.web.formats import clock, is_chinese

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

LEFT_OUT: dict[str, Any] = {
    "no_skill": _l("Nobody on duty has the skill"),
    "no_caregiver_in_circle": _l("Nobody with the skill is within 15 minutes"),
    "vendor_has_nobody": _l("The chosen vendor has nobody for it"),
    "all_forbidden": _l("The elder refused all who could go"),
    "outside_all_shifts": _l("Outside everybody's shift"),
    "no_crew": _l("Two are needed, only one is free"),
    "load_too_late": _l("The meals are ready too late"),
    "no_room": _l("All who could go are full"),
}
"""Reason of an order left out -> sentence."""

FILTERS_LEFT: dict[str, Any] = {
    "skill": _l("%(num)s have the skill"),
    "allowed": _l("%(num)s not refused"),
    "vendor": _l("%(num)s of the vendor"),
    "circle": _l("%(num)s within 15 minutes"),
    "shift": _l("%(num)s on shift"),
    "insertion": _l("%(num)s with room"),
}
"""The dispatcher's filters in their order -> how many caregivers each leaves."""

CHANGES: dict[str, Any] = {
    "window": _l("another time"),
    "skill": _l("train one for the skill"),
    "vendor": _l("let another vendor go"),
    "circle_s": _l("let somebody come from farther"),
    "shift": _l("lengthen a shift"),
    "forbidden": _l("ask the elder about a refused helper"),
    "capacity": _l("carry more meals"),
    "ready_s": _l("cook earlier"),
    "extra_caregiver": _l("one more helper"),
}
"""The one change that would place an order left out."""


def remaining_words(remaining: dict[str, Any]) -> str:
    """Return how many caregivers each filter left, up to the one that left none."""
    parts = []
    for name, words in FILTERS_LEFT.items():
        if name not in remaining:
            continue
        parts.append(str(words) % {"num": remaining[name]})
        if not remaining[name]:
            break
    return ("，" if is_chinese() else ", ").join(parts)


def help_words(change: dict[str, Any]) -> str:
    """Return what one change would be, with its new time where it moves the time."""
    name = change.get("change", "")
    words = str(CHANGES.get(name, name))
    to = change.get("to")
    if name in ("window", "shift") and isinstance(to, list | tuple) and len(to) == 2:
        return f"{words} {clock(int(to[0]))}–{clock(int(to[1]))}"
    return words


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

SKILLS: dict[str, Any] = {
    "MEAL": _l("Health certificate"),
    "COOK": _l("Cook"),
    "GEN": _l("Home helper"),
    "CARE5": _l("Carer, grade five"),
    "CARE4": _l("Carer, grade four"),
    "CARE3": _l("Carer, grade three"),
    "BATH": _l("Bath training"),
    "NURSE": _l("Nurse"),
    "DOC": _l("Doctor"),
    "TCM": _l("Chinese medicine"),
    "PHARM": _l("Pharmacist"),
    "REHAB": _l("Rehabilitation"),
    "NUTR": _l("Nutrition"),
    "PSY": _l("Counselling"),
    "SW": _l("Social worker"),
    "COMP": _l("Companion"),
    "EDU": _l("Teacher"),
    "LAW": _l("Legal advice"),
    "CALL": _l("Call agent"),
    "ESCORT": _l("Escort"),
    "DRIVER": _l("Driver"),
    "TECH": _l("Devices"),
    "FIT": _l("Fitter"),
    "ELEC": _l("Electrician"),
    "PLUMB": _l("Plumber"),
    "GAS": _l("Gas fitter"),
    "APPL": _l("Appliances"),
    "PEST": _l("Pest control"),
    "LOCK": _l("Locksmith"),
    "BARBER": _l("Barber"),
    "PEDI": _l("Foot care"),
    "ASSESS": _l("Assessor"),
}
"""Skill code -> its name; a licence stands under its own Chinese name."""


def skill_word(code: str) -> str:
    """Return the name of a skill, or the text itself for a licence."""
    return str(SKILLS.get(code, code))


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
