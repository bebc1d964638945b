"""Who somebody is: roles, skills, why somebody is away, what a family may do, consents."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

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


LEAVE_REASONS: dict[str, Any] = {
    "illness": _l("Ill"),
    "leave": _l("On leave"),
    "training": _l("Training"),
    "other": _l("Another reason"),
}
"""Why somebody is away; the codes are the workflow's."""

POWERS: dict[str, Any] = {
    "see_visits": _l("see who comes and when"),
    "order": _l("order for the parent"),
    "cancel": _l("change and cancel"),
    "see_money": _l("see vouchers and bills"),
}
"""What a parent may allow a child."""

PURPOSES: dict[str, tuple[Any, Any]] = {
    "service": (_l("Receiving services"), _l("without it nothing new is ordered")),
    "family_view": (_l("Relatives may look in"), _l("without it they see nothing")),
    "photo": (_l("Photos of the work"), _l("without it none is kept")),
    "hotline_recording": (
        _l("A recorded call counts as a word"),
        _l("without it a call confirms nothing"),
    ),
    "kin_care": (_l("A relative may be paid for care"), _l("civil affairs must agree too")),
}
"""Purpose of a consent -> its name, and what ends without it."""

FILE_PARTS: dict[str, Any] = {
    "file": _l("the file"),
    "visit": _l("a visit"),
    "money": _l("vouchers and money"),
    "photo": _l("a photo"),
    "as_of": _l("the file of an earlier day"),
    "id_number": _l("the identity number in full"),
}
"""Part of a file that somebody looked at -> words."""
