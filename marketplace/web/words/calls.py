"""The hotline: why a call is owed, what is complained of, what a new caller has to give."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

CALL_REASONS: dict[str, Any] = {
    "first_visit": _l("first visit"),
    "bath": _l("a bath"),
    "emergency": _l("an emergency"),
    "nobody_confirmed": _l("nobody confirmed it, no photo"),
    "sample": _l("one in ten"),
    "silent": _l("80, alone, silent for a week"),
    "shut_door": _l("did not open the door"),
    "shut_twice": _l("did not open twice in a row"),
    "looked_in": _l("somebody was sent: what did they find?"),
    "denied": _l("says that nobody came"),
    "not_satisfied": _l("not satisfied"),
    "asked": _l("asked to be rung back"),
    "papers": _l("something is missing for a programme"),
    "quality": _l("work not done well"),
    "late": _l("late or did not come"),
    "attitude": _l("manners"),
    "money": _l("money"),
    "safety": _l("hurt or in danger"),
    "theft": _l("something is missing"),
    "other": _l("something else"),
}
"""Why a call is owed -> words."""

COMPLAINTS: dict[str, Any] = {
    code: CALL_REASONS[code]
    for code in ("quality", "late", "attitude", "money", "safety", "theft", "other")
}
"""What may be complained of; the codes are the workflow's."""

CALLER_FIELDS: dict[str, Any] = {
    "phone": _l("That number does not fit, or is known under this name already."),
    "name": _l("Write the whole name, as on the identity card."),
    "address": _l("Begin with district, town and community; choose one of the list."),
    "born_year": _l("Four digits, for example 1942."),
    "consent": _l("Read the sentence out and tick it when the caller says yes."),
}
"""Field of a new caller -> what would fit."""
