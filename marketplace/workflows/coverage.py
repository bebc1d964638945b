"""Which homes a base reaches within the circle, by the dispatcher's own travel times. Reads only."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from threading import Lock

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dispatch import Places, TravelModel
from dispatch.travel import Travel
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Actor, Scope
from marketplace.workflows.advise import CIRCLE_S
from marketplace.workflows.policy import Action, scope
from vendors.models import Caregiver, Site

NEAREST = 4
"""Bases by the straight line whose exact times are looked at; the nearest by time is among them."""


@dataclass(frozen=True, slots=True)
class DistrictCircle:
    """How many homes of a district lie within the circle of some base."""

    district_code: str
    elders: int
    inside: int

    @property
    def share(self) -> float:
        """Return the share inside, 1 where nobody lives."""
        return self.inside / self.elders if self.elders else 1.0


@dataclass(frozen=True, slots=True)
class FarHome:
    """A home outside every circle: whose, where, and the seconds to the nearest base."""

    elder_id: str
    district_code: str
    town_code: str | None
    born_on: date
    lives_alone: bool
    base: str
    travel_s: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The circle's coverage by district, and the homes farthest outside."""

    districts: tuple[DistrictCircle, ...]
    outside: tuple[FarHome, ...]


_LOCK = Lock()
_KEPT: OrderedDict[tuple[object, ...], Coverage] = OrderedDict()
_MOST_KEPT = 8


def coverage(session: Session, actor: Actor, *, most: int = 25) -> Coverage:
    """Return the coverage of the reader's area: kept until the register or the bases change."""
    reach = scope(actor, Action.SEE_STATISTICS)
    key = (*_state(session), reach.district_code, reach.town_code, most)
    with _LOCK:
        if key in _KEPT:
            _KEPT.move_to_end(key)
            return _KEPT[key]
    found = _compute(session, reach, most)
    with _LOCK:
        _KEPT[key] = found
        while len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    return found


def _state(session: Session) -> tuple[object, ...]:
    """Return what changes whenever a home or a base does."""
    elders = session.execute(select(func.count(), func.max(Elder.updated_at))).one()
    people = session.execute(select(func.count(), func.max(Caregiver.updated_at))).one()
    return (str(session.get_bind().url), *elders, *people)  # type: ignore[union-attr]


def _compute(session: Session, reach: Scope, most: int) -> Coverage:
    query = select(
        Elder.id,
        Elder.district_code,
        Elder.town_code,
        Elder.born_on,
        Elder.lives_alone,
        Elder.lat,
        Elder.lng,
    ).where(Elder.status == "active")
    if reach.town_code is not None:
        query = query.where(Elder.town_code == reach.town_code)
    elif reach.district_code is not None:
        query = query.where(Elder.district_code == reach.district_code)
    homes = session.execute(query.order_by(Elder.id)).all()
    working = select(Caregiver.base_site_id).where(Caregiver.status == "active").distinct()
    bases = session.execute(
        select(Site.name, Site.lat, Site.lng).where(Site.id.in_(working)).order_by(Site.id)
    ).all()
    if not homes:
        return Coverage((), ())
    if not bases:
        seconds = np.full(len(homes), np.iinfo(np.int32).max)
        nearest = np.zeros(len(homes), dtype=int)
    else:
        seconds, nearest = _nearest(homes, bases)
    codes = np.array([h.district_code for h in homes])
    inside = seconds <= CIRCLE_S
    districts = tuple(
        DistrictCircle(str(code), int((codes == code).sum()), int(inside[codes == code].sum()))
        for code in np.unique(codes)
    )
    far = [n for n in np.argsort(-seconds, kind="stable")[:most] if not inside[n]]
    return Coverage(
        districts,
        tuple(
            FarHome(
                homes[n].id,
                homes[n].district_code,
                homes[n].town_code,
                homes[n].born_on,
                homes[n].lives_alone,
                bases[nearest[n]].name if bases else "",
                int(seconds[n]),
            )
            for n in far
        ),
    )


def _nearest(homes: list, bases: list) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Return each home's seconds to its nearest base, and which that is."""
    at = np.array([(h.lat, h.lng) for h in homes])
    to = np.array([(b.lat, b.lng) for b in bases])
    scale = np.cos(np.radians(at[:, :1]))
    apart = (at[:, None, 0] - to[None, :, 0]) ** 2 + (scale * (at[:, 1:] - to[None, :, 1])) ** 2
    few = min(NEAREST, len(bases))
    close = np.argpartition(apart, few - 1, axis=1)[:, :few]
    travel = Travel(Places(coordinates=np.vstack([at, to])), TravelModel())
    rows = np.repeat(np.arange(len(at)), few)
    seconds = travel.pairs(rows, close.ravel() + len(at)).reshape(len(at), few)
    best = seconds.argmin(axis=1)
    line = np.arange(len(at))
    return seconds[line, best], close[line, best]
