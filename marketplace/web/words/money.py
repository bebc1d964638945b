"""Money: who pays, what a purse and the ledger did, how far a statement has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from marketplace.web.formats import minutes, yuan

PAYERS: dict[str, tuple[str, Any]] = {
    "OWN": ("own", _l("You pay")),
    "government": ("gov", _l("The government pays")),
    "LV": ("local", _l("Care voucher")),
    "MEAL": ("local", _l("Meal subsidy")),
    "NV": ("nation", _l("National voucher")),
    "GP": ("gov", _l("Government hours")),
    "LTCI": ("gov", _l("Care insurance")),
    "TQ": ("gov", _l("Care agreement")),
    "ADAPT": ("gov", _l("Home adaptation grant")),
    "BED": ("gov", _l("Care bed grant")),
    "CHAR": ("gift", _l("Charity purse")),
    "TB": ("gift", _l("Mutual-help hours")),
}
"""Programme (or its class) -> colour of the payer and its short name."""


def programme_word(code: str) -> str:
    """Return the short name of a programme."""
    known = PAYERS.get(code) or PAYERS.get(code.partition("-")[0])
    return str(known[1]) if known else code


MOVEMENTS: dict[str, Any] = {
    "granted": _l("granted"),
    "own_money": _l("your own money, put in"),
    "gift": _l("a gift"),
    "given_back": _l("came back"),
    "used": _l("used"),
    "held": _l("held for a visit to come"),
    "lapsed": _l("lapsed at its end"),
    "given_away": _l("given to a relative"),
    "for_a_day": _l("set aside for one day"),
    "other": _l("corrected"),
}
"""What a movement of a purse is -> word."""

OWN_MONEY = _l("Own money")
"""What the elder pays, to everybody but the elder."""


@dataclass(frozen=True, slots=True)
class PayLine:
    """One payer as the split shows it; own money comes last."""

    payer: str
    word: str
    fen: int
    note: str


def pay_lines(
    shares: Iterable[Any], left_after: Mapping[str, int], *, own: Any = None
) -> list[PayLine]:
    """Return who pays what, in the order of the split, with what remains where that is known.

    ``own``: what own money is called where the reader is not the elder.
    """
    to_elder = own is None
    own = programme_word("OWN") if to_elder else str(own)
    lines = []
    for share in shares:
        code = share.programme_code
        colour = (PAYERS.get(code) or PAYERS.get(code.partition("-")[0]) or ("gov", ""))[0]
        note = ""
        if share.minutes:
            note = _("%(span)s of your hours", span=minutes(share.minutes))
            if not to_elder:
                note = _("%(span)s of hours", span=minutes(share.minutes))
        elif code in left_after:
            note = _("%(sum)s left after it", sum=yuan(left_after[code]))
        elif code == "OWN":
            note = _("paid after the visit")
        word = own if code == "OWN" else programme_word(code)
        lines.append(PayLine(colour, word, share.fen, note))
    if lines and lines[-1].payer != "own":
        lines.append(PayLine("own", own, 0, ""))
    return lines


ACCOUNTS: dict[str, Any] = {
    "treasury": _l("Treasury"),
    "budget": _l("Budget"),
    "fund": _l("Fund behind the hours"),
    "mint": _l("Hours granted"),
    "outside": _l("Outside payer"),
    "entitlement": _l("The elder's grant"),
    "ent": _l("The elder's grant"),
    "day": _l("The day's part of a grant"),
    "owed": _l("The elder's own money"),
    "promised": _l("Held for who serves"),
    "served": _l("Hours given"),
    "due": _l("Due to the vendor"),
    "bank": _l("Bank"),
    "gift": _l("Charity"),
}
"""First part of a ledger account's id -> what it stands for."""


def account_word(account: str) -> str:
    """Return what a ledger account stands for, with its programme where it names one."""
    kind, _colon, rest = account.partition(":")
    parts = [p for p in rest.split(":") if p in PAYERS or p.partition("-")[0] in PAYERS]
    word = str(ACCOUNTS.get(kind, kind))
    programmes = [programme_word(p) for p in parts if p != "OWN"]
    return f"{word} · {programmes[0]}" if programmes else word


ENTRY_KINDS: dict[str, Any] = {
    "pending": _l("Held"),
    "post": _l("Taken"),
    "void": _l("Given back"),
    "expire": _l("Lapsed in the ledger"),
    "direct": _l("Moved"),
    "reversal": _l("Reversed"),
}

CHECKS: dict[str, Any] = {
    "shares_make_the_price": _l("The shares add up to the price"),
    "resolved_once": _l("Each hold was resolved once"),
    "not_more_than_the_price": _l("No more was taken than the price"),
    "line_adds_up": _l("The line adds up to its total"),
    "no_overlap": _l("The helper was nowhere else meanwhile"),
}

MONEY_STATES: dict[str, Any] = {
    "expected": _l("Promised: held when the month's grants are out."),
    "held": _l("Held: nothing is taken before the visit."),
    "captured": _l("Taken after the visit."),
    "released": _l("Given back."),
    "reversed": _l("Taken back and corrected."),
}

STATEMENT_STEPS: dict[str, Any] = {
    "issued": _l("waits for your signature"),
    "vendor_confirmed": _l("with the street office"),
    "street_checked": _l("with civil affairs"),
    "county_approved": _l("waits to be paid"),
    "released": _l("paid"),
}
"""How far a statement has come."""

STEP_WORDS: dict[str, Any] = {
    "issued": _l("Issued"),
    "vendor_confirmed": _l("Confirmed by the vendor"),
    "street_checked": _l("Checked by the street"),
    "county_approved": _l("Approved by the county"),
    "released": _l("Released and paid"),
}
"""How far a statement has come."""

HELD_REASONS: dict[str, Any] = {
    "visit_missing": _l("no visit stands behind it"),
    "elder_differs": _l("the visit was at another elder's"),
    "vendor_differs": _l("another vendor made the visit"),
    "amount_differs": _l("the sums differ"),
    "visit_not_verified": _l("the visit is held for checking"),
    "not_confirmed": _l("nobody has confirmed it yet"),
    "still_in_service": _l("the visit is not checked out"),
    "disputed": _l("a person has not decided yet"),
}
"""Why a closing left a work order out; codes without a word stand as they are."""

LINE_KINDS: dict[str, Any] = {
    "visit": _l("Service"),
    "fee": _l("Fee"),
    "reversal": _l("Taken back"),
}
"""What a line of a statement is."""
