"""A visit: its state, what is done and proven at the door, what a check of it found."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from marketplace.web.formats import is_chinese

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

CATEGORY_ICONS = {
    "ZC": "meal",
    "ZY": "bath",
    "ZJ": "clean",
    "YL": "medical",
    "ZX": "walk",
    "JJ": "alert",
    "ZL": "chat",
    "DB": "basket",
    "HL": "users",
    "KF": "good",
    "SG": "home",
}
"""Category code -> icon."""

TASKS: dict[str, list[Any]] = {
    "ZC": [_l("Hand the meal to the person"), _l("Say by when it must be eaten")],
    "ZY": [
        _l("Blood pressure and temperature before the bath"),
        _l("Water at 38 to 40 degrees"),
        _l("Look at the skin, say what is new"),
        _l("Floor dry, elder dressed and warm"),
    ],
    "ZJ": [
        _l("Floors swept and mopped"),
        _l("Bathroom mat rinsed"),
        _l("Stove wiped clean"),
        _l("Look at the pill box: taken today?"),
    ],
    "": [
        _l("Did what was ordered"),
        _l("Look at the pill box: taken today?"),
        _l("Say when the next visit is"),
    ],
}
"""Category code -> what is ticked off at the door; the empty code is for all others."""

UNITS: dict[str, Any] = {
    "餐": _l("meal"),
    "次": _l("visit"),
    "小时": _l("hour"),
    "天": _l("day"),
    "月": _l("month"),
    "班": _l("shift"),
    "晚": _l("night"),
    "件": _l("piece"),
    "平方米": _l("square metre"),
    "米": _l("metre"),
    "套": _l("set"),
    "份": _l("portion"),
    "户": _l("home"),
    "项": _l("item"),
}


def unit_word(unit: str) -> str:
    """Return a billing unit in the reader's language."""
    return unit if is_chinese() else str(UNITS.get(unit, unit))


WITHDRAW_WORDS: dict[str, Any] = {
    "ill": _l("I am ill or hurt"),
    "late": _l("I am stuck at the home before"),
    "vehicle": _l("bicycle or car broken"),
    "family": _l("something at home"),
    "unsafe": _l("it is not safe there"),
    "other": _l("another reason"),
}
"""Why a caregiver cannot make a visit; the codes are the workflow's."""

CHANNELS: dict[str, Any] = {
    "plan": _l("from the standing plan"),
    "hotline": _l("by the hotline"),
    "web": _l("on the web"),
    "community": _l("by the community"),
    "app": _l("on the phone"),
    "terminal": _l("at a terminal"),
    "sos": _l("by the alarm button"),
    "site": _l("at the centre"),
    "import": _l("from the bureau's register"),
    "api": _l("by another system"),
}

PROOFS: dict[str, Any] = {
    "check_in": _l("Checked in"),
    "check_out": _l("Checked out"),
    "photo": _l("Photo"),
    "correction": _l("Correction"),
}

METHODS: dict[str, Any] = {
    "home_code": _l("with the home's code"),
    "card": _l("with the card"),
    "nfc": _l("with the door tag"),
    "gps": _l("by place"),
    "gps_photo": _l("by place and photo"),
    "landline": _l("from the home's telephone"),
    "paper": _l("on paper"),
    "manual": _l("by hand"),
}


def proof_word(kind: str, method: str) -> str:
    """Return one piece of evidence in words: checked in with the home's code."""
    return f"{PROOFS.get(kind, kind)}{'，' if is_chinese() else ' '}{METHODS.get(method, method)}"


RULES: dict[str, Any] = {
    "F01": _l("two visits at one time"),
    "F02": _l("two homes too far apart for the time between"),
    "F03": _l("the place shown is not the home"),
    "F04": _l("shorter than the service takes"),
    "F05": _l("longer than the standard, paid up to it"),
    "F06": _l("one telephone for two helpers, or two for one"),
    "F07": _l("the photo was used before or is of another time"),
    "F09": _l("the elder was away by the register"),
    "F10": _l("the elder had another visit then"),
    "F11": _l("more work than one person does in a day"),
    "F13": _l("at night"),
    "F14": _l("one telephone stands for many elders"),
    "F15": _l("a relative without approval"),
    "F16": _l("the certificate was missing"),
    "F19": _l("dearer than the guide price, trimmed to it"),
    "F20": _l("the place may have been made up by the telephone"),
    "F21": _l("one of two did not check in"),
    "F22": _l("the elder says that nobody came"),
    "F23": _l("assessed by the vendor itself"),
    "F24": _l("one visit split into several"),
    "CARD": _l("the card shown is not in order"),
    "PHONE": _l("the call did not come from the elder's telephone"),
    "PAPER": _l("the two who entered the paper read different things"),
    "LATE": _l("began after the time agreed"),
}
"""Rule of the checks -> what it found, as a fact and not a verdict."""


def rule_word(code: str) -> str:
    """Return what a rule found, or its number."""
    return str(RULES.get(code, code))
