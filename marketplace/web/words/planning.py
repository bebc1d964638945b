"""The dispatcher's answers: who is left out, what stands against a move, what would help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _l

from marketplace.web.formats import clock, is_chinese

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

BINDINGS: dict[str, Any] = {
    "skill": _l("lacks the skill"),
    "forbidden": _l("the elder refused"),
    "fixed": _l("the visit is settled on somebody"),
    "vendor": _l("of another vendor"),
    "circle": _l("based more than 15 minutes away"),
    "shift": _l("not on shift then"),
    "work": _l("would work too long"),
    "rest": _l("would lose the rest that is due"),
    "capacity": _l("cannot carry more meals"),
    "load": _l("would bring the meal too late"),
    "window": _l("is busy at the time agreed"),
    "others": _l("only if other visits moved far"),
    "crew": _l("nobody to go with at that time"),
    "room": _l("has no room in the day"),
    "aside": _l("has a day that a change by hand has broken; mend it first"),
    "begun": _l("The visit has begun."),
    "not_accepted": _l("No vendor has accepted the visit yet."),
}
"""The rule that keeps somebody from a visit -> words."""

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

RELAXED: dict[str, Any] = {
    "crews": _l("that two come at the same time"),
    "hold": _l("waiting with a meal on board"),
    "loads": _l("what is fetched and carried"),
    "work": _l("the daily limit of some"),
    "rest": _l("some rests"),
    "vendor shares": _l("part of the vendors' fair shares"),
}
"""What the proof of a bound leaves aside; the keys stand before the colon in the engine's names."""


def relaxed_words(names: Iterable[str]) -> str:
    """Return what a proof leaves aside, in words, each once."""
    keys = dict.fromkeys(name.partition(":")[0] for name in names)
    return ("、" if is_chinese() else ", ").join(str(RELAXED.get(key, key)) for key in keys)


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
