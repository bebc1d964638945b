"""Gather what the anti-fraud rules look at, and write what they say. Inside a caller's transaction."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.catalogue import service as catalogue
from marketplace.elders import access
from marketplace.kernel.clock import instant_of
from marketplace.orders import rules as order_rules
from marketplace.orders import service as orders
from marketplace.visits import fraud, limits, rules
from marketplace.visits import service as visits
from marketplace.visits.fraud import Finding, Other, Photo, VisitFacts
from marketplace.visits.rules import Point
from marketplace.vouchers import service as vouchers
from vendors import caregivers, registry


def judge_work_order(
    session: Session, work_order: Row[Any], *, elder_denies: bool = False
) -> list[tuple[str, list[Finding]]]:
    """Judge every visit of a work order, write the verdicts, return verdict and findings of each."""
    crew = visits.of_work_order(session, work_order.id)
    said = []
    for visit in crew:
        facts = _facts(session, work_order, visit, len(crew), elder_denies)
        findings = fraud.judge(facts) + _shown(session, visit) + _late(session, work_order, visit)
        verdict = rules.verdict_of(f.action for f in findings)
        visits.judge(session, visit.id, verdict=verdict, findings=[asdict(f) for f in findings])
        said.append((verdict, findings))
    return said


def asks_for_a_person(said: list[tuple[str, list[Finding]]]) -> list[str]:
    """Return the rules that hold or block, of what ``judge_work_order`` said."""
    return sorted({f.rule for _, fs in said for f in fs if f.action in ("hold", "block")})


_TO_A_PERSON = (
    ("card", "CARD", rules.CARD_OK),
    ("number", "PHONE", "known"),
    ("slip", "PAPER", "same"),
)
"""What evidence without a smartphone says of itself: fact, name of the finding, what is in order."""


def _shown(session: Session, visit: Row[Any]) -> list[Finding]:
    """Return what a card, a phone call or a paper left open: the money stays held for a person."""
    found = {}
    for e in visits.evidence_of(session, visit.id):
        for fact, rule, fine in _TO_A_PERSON:
            if e.facts.get(fact, fine) != fine:
                found[rule] = Finding(rule, "hold", {"why": e.facts[fact]})
    return list(found.values())


def _late(session: Session, work_order: Row[Any], visit: Row[Any]) -> list[Finding]:
    """Return that the check-in came after the slot, for the vendor's record; it costs nothing."""
    late = check_slot(work_order, max(visit.check_in_at, opens_at(work_order)))
    return [Finding("LATE", "review", {"minutes": late})] if late else []


def opens_at(work_order: Row[Any]) -> datetime:
    """Return the instant at which a work order's window opens."""
    return instant_of(work_order.visit_on, work_order.window_start_s)


def check_slot(work_order: Row[Any], at: datetime) -> int:
    """Return how many minutes after its slot a check-in comes; raises ``TooEarly`` before it."""
    return rules.check_slot(
        at=at,
        opens_at=opens_at(work_order),
        closes_at=instant_of(work_order.visit_on, work_order.window_end_s),
        limits=limits.on(work_order.visit_on),
    )


def _facts(
    session: Session, w: Row[Any], visit: Row[Any], checked_in: int, denies: bool
) -> VisitFacts:
    evidence = visits.evidence_of(session, visit.id)
    elder = access.facts(session, w.elder_id, on=w.visit_on)
    ties = access.ties(session, w.elder_id)
    person = caregivers.facts(session, visit.caregiver_id, on=w.visit_on)
    version = catalogue.version_in_force(session, w.service_code, w.visit_on)
    devices = visits.devices(session, visit.caregiver_id, w.visit_on)
    vendor_id = w.vendor_id or ""
    vendor_name = registry.vendor_names(session, [vendor_id]).get(vendor_id)
    shares = vouchers.shares_of(session, w.id)
    phone = person.phone_index
    terms = limits.on(w.visit_on)
    return VisitFacts(
        work_order_id=w.id,
        caregiver_id=visit.caregiver_id,
        vendor_id=w.vendor_id,
        category_code=w.category_code,
        mode=w.mode,
        time_class=w.time_class,
        began_at=visit.check_in_at,
        ended_at=visit.check_out_at or visit.check_in_at,
        ends_by=instant_of(w.visit_on, w.window_end_s + w.service_s),
        standard_min=w.service_s // 60,
        at=_point(visit),
        outside_fence_m=_outside(w, evidence, terms),
        needed_skill=w.skill_code,
        skills=person.skills,
        crew=w.crew,
        checked_in=checked_in,
        price_fen=w.price_fen,
        guide_price_fen=version.price_fen * w.quantity,
        government_paid=any(s.programme_code.startswith("GP") for s in shares),
        is_night_item=version.unit in order_rules.NIGHT_UNITS,
        elder_is_served=elder.is_served(w.visit_on, w.service_code),
        elder_denies=denies,
        is_kin=phone is not None and phone in ties.family_phones,
        kin_is_approved=ties.kin_is_approved,
        phone_is_supply=phone is not None and phone == ties.phone_index,
        phone_shared_by=ties.phone_shared_by,
        assessed_by_vendor=vendor_name in ties.assessors,
        by_caregiver=_others(
            session, visits.of_caregiver(session, visit.caregiver_id, w.visit_on), visit.id
        ),
        by_elder=_others(session, visits.of_elder(session, w.elder_id, w.visit_on), visit.id),
        devices_of_caregiver=devices,
        caregivers_of_device=visits.caregivers_of(session, devices, w.visit_on),
        is_mock=any(e.facts.get("mock_location") or e.facts.get("rooted") for e in evidence),
        same_spot=_same_spot(session, visit, evidence),
        photos=tuple(_photo(e) for e in evidence if e.facts.get("phash")),
        earlier_photos=tuple(
            visits.earlier_photos(
                session,
                visit.caregiver_id,
                visit.id,
                since=w.visit_on - timedelta(days=terms.photo_days),
            )
        ),
        limits=terms,
    )


def _point(visit: Row[Any]) -> Point | None:
    return None if visit.lat is None else Point(visit.lat, visit.lng)


def _outside(w: Row[Any], evidence: list[Row[Any]], terms: limits.Limits) -> int:
    """Return how far outside the fence the check-in lies; a code of the home or a card needs no fence."""
    home = Point(w.lat, w.lng)
    found = 0
    for e in evidence:
        shown = (
            rules.Method(e.method) in rules.PROVEN
            and e.facts.get("card", rules.CARD_OK) == rules.CARD_OK
        )
        if e.kind == "check_in" and e.lat is not None and not shown:
            found = max(
                found,
                rules.outside_fence_m(
                    home=home,
                    at=Point(e.lat, e.lng),
                    accuracy_m=e.accuracy_m or 0,
                    town_code=w.town_code,
                    limits=terms,
                ),
            )
    return found


def _others(session: Session, rows: list[Row[Any]], but: str) -> tuple[Other, ...]:
    about = orders.work_orders(session, {r.work_order_id for r in rows if r.id != but})
    return tuple(
        Other(
            work_order_id=r.work_order_id,
            caregiver_id=r.caregiver_id,
            vendor_id=about[r.work_order_id].vendor_id,
            category_code=about[r.work_order_id].category_code,
            mode=about[r.work_order_id].mode,
            began_at=r.check_in_at,
            ended_at=r.check_out_at,
            at=_point(r),
        )
        for r in rows
        if r.id != but
    )


def _same_spot(session: Session, visit: Row[Any], evidence: list[Row[Any]]) -> int:
    for e in evidence:
        if e.kind == "check_in" and e.lat is not None:
            return visits.same_spot(
                session,
                visit.caregiver_id,
                lat=e.lat,
                lng=e.lng,
                since=visit.visit_on - timedelta(days=limits.on(visit.visit_on).same_spot_days),
            )
    return 0


def _photo(e: Row[Any]) -> Photo:
    taken = e.facts.get("taken_at")
    return Photo(
        phash=int(e.facts["phash"], 16),
        taken_at=datetime.fromisoformat(taken) if taken else None,
        # A photo that waited offline is compared with the phone's time of sending it off.
        received_at=e.at_device if e.offline else e.received_at,
    )
