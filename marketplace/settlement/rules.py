"""The matching of a month and the content of a statement. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

OWN = "OWN"
OUTSIDE = ("LTCI", "NV")
"""Payers that are no fund of the bureau: the elder, the insurer, the national system."""

RUNNING = {"in_service": "still_in_service", "done": "not_confirmed", "disputed": "disputed"}
"""States of a work order in which a visit began but its money was not captured."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement: what a vendor gets for one work order, by payer (fen)."""

    kind: str
    work_order_id: str
    visit_id: str | None
    elder_id: str
    service_code: str
    visit_on: date
    origin_period: str
    minutes: int
    by_programme: Mapping[str, int]

    @property
    def total_fen(self) -> int:
        """Return the sum over payers."""
        return sum(self.by_programme.values())


@dataclass(frozen=True, slots=True)
class Facts:
    """What order, visit and ledger each say of one redeemed work order."""

    work_order_id: str
    state: str
    order_vendor_id: str | None
    order_elder_id: str
    visit_work_order_id: str | None
    visit_verdict: str | None
    visit_elder_id: str | None
    has_all_times: bool
    redeemed_by: str
    redeemed_fen: int
    ledger_fen: int
    price_fen: int
    is_decided: bool = False


def match(facts: Facts) -> str | None:
    """Return ``None`` where order, visit and ledger agree, else why the line is held.

    A held verdict is no obstacle once a person has confirmed: the state says that. What the rules
    block is paid only where a person decided the dispute (``is_decided``), since else its money would
    be taken from the elder and reach nobody.
    """
    if facts.visit_work_order_id != facts.work_order_id or not facts.has_all_times:
        return "visit_missing"
    if facts.visit_elder_id != facts.order_elder_id:
        return "elder_differs"
    if facts.order_vendor_id != facts.redeemed_by:
        return "vendor_differs"
    if facts.ledger_fen != facts.redeemed_fen or facts.redeemed_fen > facts.price_fen:
        return "amount_differs"
    blocked = facts.visit_verdict == "blocked" and not facts.is_decided
    if blocked or facts.visit_verdict == "open":
        return "visit_not_verified"
    if facts.state != "confirmed":
        return "not_confirmed"
    return None


@dataclass(frozen=True, slots=True)
class Totals:
    """A statement's sums in fen."""

    total_fen: int
    payable_fen: int
    outside_fen: int
    own_fen: int
    holdback_fen: int
    by_programme: dict[str, int]


def total(lines: Iterable[Line], *, holdback_percent: int) -> Totals:
    """Return the sums of lines; the holdback is taken of each bureau payer's positive part."""
    by_programme: dict[str, int] = {}
    for line in lines:
        for code, fen in line.by_programme.items():
            by_programme[code] = by_programme.get(code, 0) + fen
    by_programme = {c: f for c, f in sorted(by_programme.items()) if f}
    own = by_programme.get(OWN, 0)
    outside = sum(by_programme.get(c, 0) for c in OUTSIDE)
    everything = sum(by_programme.values())
    return Totals(
        total_fen=everything,
        payable_fen=everything - own - outside,
        outside_fen=outside,
        own_fen=own,
        holdback_fen=sum(
            holdback_of(f, holdback_percent) for c, f in by_programme.items() if is_bureau(c)
        ),
        by_programme=by_programme,
    )


def is_bureau(programme_code: str) -> bool:
    """Return whether the bureau itself pays this payer's part."""
    return programme_code != OWN and programme_code not in OUTSIDE


def holdback_of(fen: int, percent: int) -> int:
    """Return what of a payer's part waits for the quality score."""
    return max(fen, 0) * percent // 100


def content_sha256(head: Sequence[object], lines: Iterable[Line]) -> str:
    """Return the hash of a statement: its head and every line, in order."""
    digest = hashlib.sha256("\x1f".join(map(str, head)).encode())
    for number, line in enumerate(lines, start=1):
        values = (
            number,
            line.kind,
            line.work_order_id,
            line.visit_id or "",
            line.elder_id,
            line.service_code,
            line.visit_on.isoformat(),
            line.origin_period,
            line.minutes,
            json.dumps(dict(sorted(line.by_programme.items())), separators=(",", ":")),
        )
        digest.update(("\n" + "\x1f".join(map(str, values))).encode())
    return digest.hexdigest()


HeldRow = tuple[str, str, str | None, Mapping[str, Any]]
"""A work order that was held back: its id, the reason, the vendor, the facts."""


def run_sha256(statements: Iterable[str], held: Iterable[HeldRow]) -> str:
    """Return the hash of a closing: its statements' hashes and what it held back, in order."""
    lines = [*statements]
    for work_order_id, reason, vendor_id, facts in held:
        said = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        lines.append("\x1f".join((work_order_id, reason, vendor_id or "", said)))
    return text_sha256("".join(f"{line}\n" for line in lines))


def run_hashes(statements: Sequence[str], held: Sequence[HeldRow]) -> tuple[str, str]:
    """Return the hashes that a closing may bear: today's, and the first one's, which left out the
    vendor and the facts of what was held."""
    first = [*statements, *("\x1f".join((h[0], h[1])) for h in held)]
    return run_sha256(statements, held), text_sha256("".join(f"{line}\n" for line in first))


def text_sha256(text: str) -> str:
    """Return the hash of a text, which the audit event keeps."""
    return hashlib.sha256(text.encode()).hexdigest()


def drawn(ids: Iterable[str], *, count: int, word: str) -> list[str]:
    """Return ``count`` of the ids (all where there are fewer), drawn by a word, in their own order.

    Anybody who knows the word draws the same; nobody who does not can foresee them.
    """
    by_lot = sorted(set(ids), key=lambda i: hashlib.sha256(f"{word}\x1f{i}".encode()).digest())
    return sorted(by_lot[:count])


@dataclass(frozen=True, slots=True)
class Sampled:
    """A line that the county looks at: its number and work order, and how (``field`` or ``call``)."""

    number: int
    work_order_id: str
    way: str


def sample(
    visits: Mapping[str, int], *, word: str, field_percent: int, call_percent: int
) -> list[Sampled]:
    """Return the lines that the county checks: so many percent in the field and by telephone, each at
    least one. ``visits``: work order -> number of its visit line. The word draws them."""
    found = []
    for way, percent in (("field", field_percent), ("call", call_percent)):
        count = -(-len(visits) * percent // 100)
        for work_order_id in drawn(visits, count=count, word=f"{word}/{way}"):
            found.append(Sampled(visits[work_order_id], work_order_id, way))
    return sorted(found, key=lambda s: (s.number, s.way))


def percent_of_score(score: int, steps: Sequence[tuple[int, int]]) -> int:
    """Return what percent of a holdback a score of 0 to 100 earns; ``steps``: least score, percent."""
    return next((percent for least, percent in sorted(steps, reverse=True) if score >= least), 0)


def quarter_of(period: str) -> str:
    """Return the quarter of a month: ``2026-11`` -> ``2026Q4``."""
    return f"{period[:4]}Q{(int(period[5:]) + 2) // 3}"


_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_SMALL = ("", "拾", "佰", "仟")
_LARGE = ("", "万", "亿", "万亿")


def yuan_in_words(fen: int) -> str:
    """Return an amount as it stands on a Chinese bill: ``1005`` -> ``壹拾元零伍分``.

    After 支付结算办法 appendix 1: zeros within are said once, whole yuan and whole jiao end in 整.
    """
    if fen == 0:
        return "零元整"
    sign, fen = ("负" if fen < 0 else ""), abs(fen)
    yuan, jiao, cents = fen // 100, fen // 10 % 10, fen % 10
    words = _integer_in_words(yuan) + "元" if yuan else ""
    if jiao:
        # A zero before the jiao is said where the yuan end in zero, as the bank's rule allows.
        words += ("零" if yuan and yuan % 10 == 0 else "") + _DIGITS[jiao] + "角"
    if cents:
        words += ("零" if yuan and not jiao else "") + _DIGITS[cents] + "分"
    else:
        words += "整"
    return sign + words


def _integer_in_words(number: int) -> str:
    groups: list[int] = []
    while number:
        groups.append(number % 10_000)
        number //= 10_000
    words, gap = "", False
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if group == 0:
            gap = bool(words)
            continue
        if words and (gap or group < 1_000):
            words += "零"
        words += _group_in_words(group) + _LARGE[place]
        gap = False
    return words


def _group_in_words(group: int) -> str:
    words, gap = "", False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if digit == 0:
            gap = bool(words)
            continue
        words += ("零" if gap else "") + _DIGITS[digit] + _SMALL[place]
        gap = False
    return words
