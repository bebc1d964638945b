"""How a price is shared among payers, to the fen. Pure.

The order of payers is configuration. One service minute is paid by one in-kind payer only; a rate
pays of what is left before it; what nobody pays is the elder's own money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

OWN = "OWN"

TIMED_UNITS = frozenset({"小时", "次", "半天"})
"""Twice of these takes twice the time; two meals are one stop, twenty square metres one visit."""


class ServiceVersionLike(Protocol):
    """What the split reads of a catalogue's service version."""

    @property
    def service_code(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def subsidised(self) -> bool: ...
    @property
    def duration_min(self) -> int: ...
    @property
    def price_fen(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Bought:
    """The service facts of one work order. ``items``: its quantity; ``minutes``: how long its visit lasts."""

    code: str
    category: str
    unit: str
    mode: str
    subsidised: bool
    minutes: int
    items: int

    @classmethod
    def of(cls, version: ServiceVersionLike, quantity: int = 1) -> Bought:
        """Return the facts of ``quantity`` of a service version; its category leads its code."""
        return cls(
            code=version.service_code,
            category=version.service_code[:2],
            unit=version.unit,
            mode=version.mode,
            subsidised=version.subsidised,
            minutes=version.duration_min * (quantity if version.unit in TIMED_UNITS else 1),
            items=quantity,
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """What one entitlement may still pay for this service, with the terms that shape its share.

    ``left``: fen, or minutes of an in-kind payer. ``percent``: of the rest, for a ``rate``.
    ``per_item_fen``: for an ``item`` subsidy, 0 where it pays in full. ``granted_in``: the district whose
    money it is, wherever the elder lives by now.
    """

    programme_code: str
    slot: str
    kind: str
    left: int
    account_id: str
    ends_on: date
    programme_version: date | None = None
    tier: str = ""
    rate_fen_per_hour: int = 0
    block_min: int = 1
    percent: int = 0
    per_item_fen: int = 0
    step_fen: int = 1
    granted_in: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """One payer's part. ``minutes`` is 0 but for in-kind payers, whose minutes are used up by it.

    ``granted_in`` is known while it is quoted and held; what was held says it by its account.
    """

    programme_code: str
    fen: int
    minutes: int
    account_id: str
    programme_version: date | None = None
    tier: str = ""
    rate_fen_per_hour: int = 0
    granted_in: str = field(default="", compare=False)

    @property
    def unit(self) -> str:
        """Return what the entitlement is counted in."""
        return "minutes" if self.minutes else "fen"


def split(
    price_fen: int, bought: Bought, balances: Sequence[Balance], order: Sequence[str]
) -> tuple[Share, ...]:
    """Return the shares of a price in the order of payers; they sum to it exactly, own money last.

    ``order`` names slots; a balance whose slot is not in it pays nothing. Within a slot the balance
    that ends first pays first. Shares of nothing are left out; own money has the account ``""``.
    """
    if price_fen < 0:
        raise ValueError(price_fen)
    position = {slot: i for i, slot in enumerate(order)}
    rest, unpaid_min = price_fen, bought.minutes
    shares: list[Share] = []
    ranked = sorted(
        (b for b in balances if b.slot in position and b.left > 0),
        key=lambda b: (position[b.slot], b.ends_on, b.account_id),
    )
    for balance in ranked:
        if rest == 0:
            break
        fen, minutes = _share(balance, bought, rest, unpaid_min)
        if fen == 0:
            continue
        rest -= fen
        unpaid_min -= min(minutes, unpaid_min)
        shares.append(
            Share(
                programme_code=balance.programme_code,
                fen=fen,
                minutes=minutes,
                account_id=balance.account_id,
                programme_version=balance.programme_version,
                tier=balance.tier,
                rate_fen_per_hour=balance.rate_fen_per_hour if minutes else 0,
                granted_in=balance.granted_in,
            )
        )
    if rest:
        shares.append(Share(programme_code=OWN, fen=rest, minutes=0, account_id=""))
    return tuple(shares)


def _share(balance: Balance, bought: Bought, rest: int, unpaid_min: int) -> tuple[int, int]:
    """Return fen and minutes that this balance pays of ``rest`` fen and ``unpaid_min`` minutes."""
    match balance.kind:
        case "in_kind":
            block = balance.block_min
            needed = -(-unpaid_min // block) * block
            minutes = min(needed, balance.left // block * block)
            fen = min(rest, minutes * balance.rate_fen_per_hour // 60)
            return (fen, minutes) if fen else (0, 0)
        case "item":
            most = balance.per_item_fen * bought.items if balance.per_item_fen else rest
            return min(rest, most, balance.left), 0
        case "voucher":
            return min(rest, balance.left) // balance.step_fen * balance.step_fen, 0
        case "rate":
            return min(rest * balance.percent // 100, balance.left), 0
        case "purse":
            return min(rest, balance.left), 0
    raise ValueError(balance.kind)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a payer's terms let it pay: minutes in blocks, fen in steps, a part of what is left."""

    block_min: int = 1
    step_fen: int = 1
    percent: int | None = None


_ANY = Manner()


def trimmed(
    shares: Sequence[Share],
    *,
    price_fen: int,
    planned_min: int,
    delivered_min: int,
    manners: Mapping[str, Manner] | None = None,
) -> tuple[Share, ...]:
    """Return what each payer owes when only ``delivered_min`` of ``planned_min`` were served.

    The price shrinks in proportion, rounded down. In-kind payers use minutes in proportion, rounded
    up to their block; money is taken from the last payer first, own money before all, so that no
    share grows and the shares sum to the smaller price. ``manners`` (by account) says how each may
    pay. A voucher keeps to its steps as long as another payer's own hold has room for the rest.
    """
    manners = manners or {}
    if planned_min <= 0 or delivered_min >= planned_min:
        return tuple(shares)
    served = max(delivered_min, 0)
    due = price_fen * served // planned_min
    kept: list[Share] = []
    for share in shares:
        manner = manners.get(share.account_id, _ANY)
        fen, minutes = min(share.fen, due), 0
        if manner.percent is not None:
            fen = min(fen, due * manner.percent // 100)
        if share.minutes:
            blocks = -(-share.minutes * served // (planned_min * manner.block_min))
            minutes = min(share.minutes, blocks * manner.block_min)
            fen = min(fen, minutes * share.rate_fen_per_hour // 60)
        fen -= fen % manner.step_fen
        due -= fen
        kept.append(replace(share, fen=fen, minutes=minutes if fen else 0))
    return tuple(s for s in _spread(shares, kept, due, manners) if s.fen)


def _spread(
    shares: Sequence[Share], kept: list[Share], due: int, manners: Mapping[str, Manner]
) -> list[Share]:
    """Give what blocks and steps left over to payers with room in their own hold, steps last."""

    def steps(n: int) -> bool:
        return manners.get(shares[n].account_id, _ANY).step_fen > 1

    for n in sorted(range(len(kept)), key=steps):
        if shares[n].minutes or manners.get(shares[n].account_id, _ANY).percent is not None:
            continue
        room = min(due, shares[n].fen - kept[n].fen)
        due -= room
        kept[n] = replace(kept[n], fen=kept[n].fen + room)
    return kept
