"""A small city for tests of steps: three vendors, five caregivers, two elders, four services."""

from __future__ import annotations

from datetime import date
from itertools import count

from sqlalchemy.orm import Session

from marketplace.elders.models import FamilyLink
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import instant_of
from marketplace.workflows.place import OrderRequest
from tests import builders
from tests.builders import DISTRICT, NOW
from vendors.models import Certificate, Shift, Site, VendorCategory, VendorDistrict, VendorLicence
from vendors.rules import FOOD_LICENCE

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
TOWN = "321204100"
MORNING, EVENING = (27_000, 41_400), (48_600, 63_000)

ELDER = Actor("u-elder", Role.ELDER, elder_ids=frozenset({"E1"}))
FAMILY = Actor("u-family", Role.FAMILY, elder_ids=frozenset({"E1"}))
HOTLINE = Actor("u-hotline", Role.HOTLINE)
COMMUNITY = Actor("u-community", Role.COMMUNITY, district_code=DISTRICT, town_code=TOWN)
BUREAU = Actor("u-bureau", Role.BUREAU, district_code=DISTRICT)
CITY = Actor("u-city", Role.BUREAU)
"""The bureau of the whole city: it alone plans a day."""
STREET = Actor("u-street", Role.STREET, district_code=DISTRICT, town_code=TOWN)
V1, V2, V3 = (Actor(f"u-v{n}", Role.VENDOR, vendor_id=f"V{n}") for n in (1, 2, 3))
C1, C2, C3 = (
    Actor("u-c1", Role.CAREGIVER, vendor_id="V1", caregiver_id="C1"),
    Actor("u-c2", Role.CAREGIVER, vendor_id="V1", caregiver_id="C2"),
    Actor("u-c3", Role.CAREGIVER, vendor_id="V2", caregiver_id="C3"),
)

_keys = count(1)


def key() -> str:
    """Return a fresh command key."""
    return f"key-{next(_keys)}"


def build(session: Session) -> None:
    """Put the city into the database and commit it."""
    for code, values in (
        ("ZJ001", {}),
        ("HL001", {"skill_code": "CARE5", "price_fen": 4_000, "time_class": "appointment"}),
        (
            "ZY010",
            {
                "skill_code": "BATH",
                "caregivers": 2,
                "duration_min": 90,
                "price_fen": 28_000,
                "time_class": "appointment",
            },
        ),
        ("ZY007", {"skill_code": "BATH", "duration_min": 60, "price_fen": 8_000}),
        (
            "ZC006",
            {
                "unit": "餐",
                "skill_code": "MEAL",
                "duration_min": 5,
                "price_fen": 1_200,
                "time_class": "meal_window",
            },
        ),
    ):
        builders.a_service(session, code, **{"name_zh": code, "name_en": code, **values})
    for n in (1, 2, 3):
        builders.a_vendor(session, f"V{n}", daily_capacity=20, open_share=0.5 - n / 10)
        session.add(VendorDistrict(vendor_id=f"V{n}", district_code=DISTRICT))
        for code in ("ZJ", "HL", "ZY", "ZC"):
            session.add(VendorCategory(vendor_id=f"V{n}", category_code=code))
    session.flush()
    session.add(
        Site(
            id="K1",
            kind="meal",
            name="助餐点",
            vendor_id="V1",
            address="姜堰区",
            district_code=DISTRICT,
            lat=32.512,
            lng=120.142,
            meals_ready_s=37_800,
        )
    )
    session.add(
        VendorLicence(
            vendor_id="V1",
            kind=FOOD_LICENCE,
            number="1",
            valid_from=date(2026, 1, 1),
            valid_until=date(2026, 12, 31),
        )
    )
    for caregiver_id, vendor, skills in (
        ("C1", "V1", ("GEN", "CARE3", "BATH")),
        ("C2", "V1", ("GEN", "BATH", "MEAL")),
        ("C3", "V2", ("GEN", "CARE4")),
        ("C4", "V3", ("GEN",)),
    ):
        builders.a_caregiver(session, caregiver_id, vendor, meal_capacity=15)
        for skill in skills:
            session.add(
                Certificate(
                    caregiver_id=caregiver_id,
                    skill_code=skill,
                    number="1",
                    valid_from=date(2026, 1, 1),
                    valid_until=date(2026, 12, 31),
                )
            )
        for day in (MONDAY, TUESDAY):
            for starts_s, ends_s in (MORNING, EVENING):
                session.add(
                    Shift(caregiver_id=caregiver_id, works_on=day, starts_s=starts_s, ends_s=ends_s)
                )
    for elder_id in ("E1", "E2"):
        builders.an_elder(session, elder_id, town_code=TOWN)
    session.commit()


def link_family(session: Session, powers: str = "order,see_visits,cancel") -> None:
    """Bind the family account to the first elder."""
    from marketplace.accounts.models import Account

    session.add(
        Account(
            id="u-family",
            username="family",
            email="family@example.invalid",
            display_name="女儿",
            fs_uniquifier="x",
        )
    )
    session.flush()
    session.add(
        FamilyLink(
            id="L1",
            elder_id="E1",
            account_id="u-family",
            name="王芳",
            relation="daughter",
            powers=powers,
            confirmed_at=NOW,
        )
    )
    session.commit()


def request(**changed) -> OrderRequest:
    """Return an order of a cleaning tomorrow morning."""
    values = {
        "elder_id": "E1",
        "service_code": "ZJ001",
        "starts_on": TUESDAY,
        "window_start_s": 9 * 3600,
        "window_end_s": 10 * 3600,
    }
    return OrderRequest(**{**values, **changed})


def local(day: date, hour: float):
    """Return the instant of an hour of a day in Taizhou."""
    return instant_of(day, int(hour * 3600))


def placed(session: Session, ports, actor: Actor = ELDER, **changed) -> str:
    """Place an order and return the id of its first work order."""
    from marketplace.workflows.place import place_order

    answer = place_order(session, ports, actor, key=key(), request=request(**changed))
    return answer.work_orders[0].work_order_id


def accepted(session: Session, ports, vendor: Actor = V1, **changed) -> str:
    """Place an order with a vendor that accepts it; return the work order's id."""
    from marketplace.workflows.accept import AnswerRequest, accept_offer
    from vendors import offers

    work_order_id = placed(session, ports, vendor_id=vendor.vendor_id, **changed)
    offer = offers.of_work_order(session, work_order_id)[-1]
    accept_offer(session, ports, vendor, key=key(), request=AnswerRequest(offer.id))
    return work_order_id


def planned(session: Session, ports, day: date = TUESDAY):
    """Plan a day by the clock-free engine."""
    import dispatch
    from marketplace.workflows.assign import AssignRequest, assign_day

    def solve(problem, *, seconds, seed, workers, progress=None):
        return dispatch.solve(problem, iterations=200, seed=seed, workers=1)

    return assign_day(session, ports, CITY, key=key(), request=AssignRequest(day=day), solve=solve)


def crew_of(session: Session, work_order_id: str) -> list[str]:
    """Return who goes to a work order."""
    from marketplace.orders import plans

    return [a.caregiver_id for a in plans.assignments(session, [work_order_id]).get(
        work_order_id, []
    )]  # fmt: skip


def state_of(session: Session, work_order_id: str) -> str:
    """Return the state of a work order as the database has it."""
    from marketplace.orders import service

    return service.work_order(session, work_order_id).state


def actor_of(caregiver_id: str) -> Actor:
    """Return the caregiver's account."""
    vendor = {"C1": "V1", "C2": "V1", "C3": "V2", "C4": "V3"}[caregiver_id]
    return Actor(f"u-{caregiver_id}", Role.CAREGIVER, vendor_id=vendor, caregiver_id=caregiver_id)


def given(session: Session, ports, work_order_id: str, who: str, start_s: int) -> None:
    """Give a visit a caregiver of the first vendor by hand, and leave it to planning afterwards."""
    from marketplace.workflows.keep import LockRequest, lock_visit
    from marketplace.workflows.substitute import SubstituteRequest, substitute

    asked = SubstituteRequest(work_order_id, [who], start_s)
    substitute(session, ports, V1, key=key(), request=asked)
    lock_visit(session, ports, V1, key=key(), request=LockRequest(work_order_id, False))
