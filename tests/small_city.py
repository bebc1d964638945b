"""A small town of made-up people for page and browser tests: quick, seeded, written with plain inserts.

The demonstration's city is another thing; this one only needs every kind of row that a page shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.catalogue.service import packaged
from marketplace.elders import witness
from marketplace.elders.facts import facts_of
from marketplace.elders.models import Assessment, Elder, FamilyLink
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import instant_of
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders.models import Assignment, DispatchRun, LeftOut, Order, WorkOrder
from marketplace.vouchers import service as vouchers
from marketplace.workflows.publish import publish_packaged
from vendors.models import (
    Caregiver,
    Certificate,
    JobOffer,
    Shift,
    Site,
    Vendor,
    VendorCategory,
    VendorDistrict,
    VendorLicence,
)

DISTRICTS = {
    "321202": ("海陵区", 32.49, 119.92),
    "321203": ("高港区", 32.32, 119.88),
    "321204": ("姜堰区", 32.51, 120.13),
    "321281": ("兴化市", 32.92, 119.85),
    "321282": ("靖江市", 32.01, 120.26),
    "321283": ("泰兴市", 32.17, 120.02),
}
SURNAMES = (
    "张王李陈周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁"
)
GIVEN = "桂兰秀英建国玉珍凤霞德明文华素琴志强宝泉慧敏永康春梅福根长青月娥"
VENDORS = [
    "安和居家",
    "福星养老",
    "德安护理",
    "康乐家政",
    "垛田助老",
    "溱湖护理",
    "江畔到家",
    "凤城颐养",
    "银杏护理",
    "春晖助餐",
]


@dataclass(frozen=True, slots=True)
class SmallCity:
    """Ids of the people whom tests sign in as."""

    day: date
    elder_id: str
    vendor_id: str
    caregiver_id: str
    family_account: str | None = None


def _name(rng: random.Random) -> str:
    return rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, rng.choice((1, 2, 2))))


def _near(rng: random.Random, district: str, spread: float = 0.06) -> tuple[float, float]:
    _, lat, lng = DISTRICTS[district]
    return round(lat + rng.gauss(0, spread), 5), round(lng + rng.gauss(0, spread), 5)


def build(
    session: Session, ports: Ports, *, day: date, work_orders: int = 240, seed: int = 7
) -> SmallCity:
    """Write the town and its day; return whom to sign in as. Commits."""
    publish_packaged(session, ports, SYSTEM)
    rng = random.Random(seed)
    at = ports.clock.now()
    districts = list(DISTRICTS)
    elders = [_elder(rng, ports, n, districts[n % 6], at) for n in range(max(60, work_orders // 3))]
    vendors, sites, caregivers = _supply(rng, ports, districts, at, work_orders)
    # The elder whom tests sign in as lives near the first vendor's base, within its circle.
    elders[0] |= {"lat": sites[0]["lat"] + 0.003, "lng": sites[0]["lng"] + 0.003}
    session.execute(insert(Elder), elders)
    assessed = [
        {
            "id": new_id(),
            "elder_id": e["id"],
            "assessed_on": day - timedelta(days=60),
            "valid_until": day + timedelta(days=300),
            "score": 60,
            "level": rng.choice((0, 0, 1, 2, 3)),
            "assessor": "",
        }
        for e in elders
    ]
    session.execute(insert(Assessment), assessed)
    witness.record(session, "assessment", assessed, at=at)
    unsaid = {"special": "", "status": "active", "status_from": None}
    witness.record_elders(session, (unsaid | e for e in elders), at=at)
    session.execute(insert(Vendor), vendors)
    session.execute(insert(Site), sites)
    session.execute(insert(Caregiver), caregivers)
    categories, services = packaged()
    session.execute(
        insert(VendorCategory),
        [{"vendor_id": v["id"], "category_code": c.code} for v in vendors for c in categories],
    )
    session.execute(
        insert(VendorDistrict),
        [{"vendor_id": v["id"], "district_code": d} for v in vendors for d in districts],
    )
    session.execute(insert(VendorLicence), _licences(vendors, day))
    session.execute(insert(Certificate), _certificates(rng, caregivers, day))
    session.execute(insert(Shift), _shifts(caregivers, day))
    _day(session, rng, day, at, elders, vendors, caregivers, services, work_orders)
    session.commit()
    return SmallCity(
        day=day,
        elder_id=elders[0]["id"],
        vendor_id=vendors[0]["id"],
        caregiver_id=caregivers[0]["id"],
    )


def _elder(rng: random.Random, ports: Ports, n: int, district: str, at: datetime) -> dict:
    lat, lng = _near(rng, district)
    number = f"{district}19{40 + n % 20}0101{n:04d}"[:18]
    phone = f"138{n:08d}"
    return {
        "id": f"E{n:06d}",
        "name": "张桂兰" if n == 0 else _name(rng),
        "initials": "zgl" if n == 0 else "xx",
        "gender": rng.choice("FM"),
        "born_on": date(1940 + n % 20, 1 + n % 12, 1 + n % 28),
        "id_number_sealed": ports.vault.seal(number),
        "id_number_index": ports.vault.index(f"{number}{n}"),
        "phone_sealed": ports.vault.seal(phone),
        "phone_index": ports.vault.index(phone),
        "address": f"{DISTRICTS[district][0]}城东街道东风社区春晖里 {n % 30 + 1} 幢 301",
        "district_code": district,
        "town_code": f"{district}{n % 3 + 1:03d}",
        "community_code": None,
        "lat": lat,
        "lng": lng,
        "location_level": "exact",
        "hukou_local": True,
        "income_class": rng.choice(("ordinary", "ordinary", "dibao", "low")),
        "lives_alone": n % 3 == 0,
        "door_notes": "按门铃后等一会儿，她走得慢。右耳听不清，站在左边说话。"
        if n % 2 == 0
        else "",
        "updated_at": at,
    }


def _supply(
    rng: random.Random, ports: Ports, districts: list[str], at: datetime, work_orders: int
) -> tuple[list[dict], list[dict], list[dict]]:
    vendors, sites, caregivers = [], [], []
    for n, name in enumerate(VENDORS):
        vendors.append(
            {
                "id": f"V{n:03d}",
                "name": f"{name}服务中心",
                "uscc": f"91320000MA{n:08d}",
                "size": ("large", "middle", "small")[n % 3],
                "phone": f"0523-8800{n:04d}",
                "open_share": 0.1,
                "updated_at": at,
            }
        )
        lat, lng = _near(rng, districts[n % 6], 0.03)
        sites.append(
            {
                "id": f"S{n:03d}",
                "kind": "centre",
                "name": f"{name}站",
                "vendor_id": f"V{n:03d}",
                "address": DISTRICTS[districts[n % 6]][0],
                "district_code": districts[n % 6],
                "lat": lat,
                "lng": lng,
            }
        )
    for n in range(max(30, work_orders // 8)):
        phone = f"139{n:08d}"
        caregivers.append(
            {
                "id": f"C{n:05d}",
                "vendor_id": f"V{n % 10:03d}",
                "name": "李秀芳" if n == 0 else _name(rng),
                "gender": "F",
                "phone_sealed": ports.vault.seal(phone),
                "phone_index": ports.vault.index(phone),
                "base_site_id": f"S{n % 10:03d}",
                "updated_at": at,
            }
        )
    return vendors, sites, caregivers


def _licences(vendors: list[dict], day: date) -> list[dict]:
    return [
        {
            "id": new_id(),
            "vendor_id": v["id"],
            "kind": "养老服务备案",
            "number": f"备{n:04d}",
            "valid_from": day - timedelta(days=300),
            "valid_until": day + timedelta(days=6 if n % 4 == 1 else 300),
        }
        for n, v in enumerate(vendors)
    ]


def _certificates(rng: random.Random, caregivers: list[dict], day: date) -> list[dict]:
    return [
        {
            "id": new_id(),
            "caregiver_id": c["id"],
            "skill_code": skill,
            "number": f"Z{n:05d}{skill}",
            "valid_from": day - timedelta(days=600),
            "valid_until": day
            + timedelta(days=max(rng.choice((-3, 12, 200, 400, 500)), _bathes(n, skill))),
        }
        for n, c in enumerate(caregivers)
        for skill in ("GEN", "CARE5", "MEAL", "BATH" if n % 2 or n % 10 == 0 else "COMP")
    ]


def _bathes(n: int, skill: str) -> int:
    """Return for how many days the first vendor's people may bathe in any case."""
    return 100 if skill == "BATH" and n % 10 == 0 else -3


def _shifts(caregivers: list[dict], day: date) -> list[dict]:
    return [
        {
            "id": new_id(),
            "caregiver_id": c["id"],
            "works_on": day + timedelta(days=k),
            "starts_s": 7 * 3600,
            "ends_s": 18 * 3600,
        }
        for c in caregivers
        for k in range(3)
    ]


def _day(session, rng, day, at, elders, vendors, caregivers, services, count) -> None:
    home = [s for s in services if s.mode == "home" and s.unit in ("次", "餐", "小时")]
    versions = {row.service_code: row.id for row in session.execute(_versions())}
    run_id = new_id()
    orders, rows, given, left, offers = [], [], [], [], []
    seat: dict[str, int] = {}
    for n in range(count):
        elder = elders[n % len(elders)]
        service = home[rng.randrange(len(home))]
        caregiver = caregivers[n % len(caregivers)]
        start = 7 * 3600 + rng.randrange(0, 20) * 1800
        tomorrow = n % 8 == 7
        on = day + timedelta(days=1) if tomorrow else day
        begins = max(seat.get(caregiver["id"], 0), start)
        if not tomorrow and n % 40 != 13:
            start = begins // 1800 * 1800
        if tomorrow:
            state = "offered"
        elif n % 40 == 13:
            state = "accepted"
        elif begins + service.duration_min * 60 < 9 * 3600:
            state = "confirmed"
        else:
            state = "assigned"
        order_id, work_id = new_id(), f"W{n:06d}"
        orders.append(
            {
                "id": order_id,
                "elder_id": elder["id"],
                "service_code": service.code,
                "channel": "plan",
                "placed_at": at - timedelta(days=2),
                "placed_by": "system",
                "placed_role": "system",
                "authority": "plan",
                "vendor_id": caregiver["vendor_id"],
                "starts_on": on,
                "window_start_s": start,
                "window_end_s": start + 3600,
                "note": "",
            }
        )
        rows.append(
            {
                "id": work_id,
                "order_id": order_id,
                "elder_id": elder["id"],
                "visit_on": on,
                "window_start_s": start,
                "window_end_s": start + 3600,
                "state": state,
                "service_code": service.code,
                "service_version_id": versions[service.code],
                "category_code": service.category_code,
                "time_class": service.time_class,
                "price_fen": service.price_fen,
                "service_s": service.duration_min * 60,
                "crew": service.caregivers,
                "skill_code": service.skill_code,
                "mode": "home",
                "is_stop": True,
                "lat": elder["lat"],
                "lng": elder["lng"],
                "district_code": elder["district_code"],
                "town_code": elder["town_code"],
                "vendor_id": caregiver["vendor_id"] if state != "offered" else None,
                "created_at": at - timedelta(days=2),
            }
        )
        if state in ("assigned", "confirmed"):
            ends = begins + service.duration_min * 60
            seat[caregiver["id"]] = ends + 900
            given.append(
                {
                    "id": new_id(),
                    "work_order_id": work_id,
                    "caregiver_id": caregiver["id"],
                    "run_id": run_id,
                    "starts_at": instant_of(on, begins),
                    "ends_at": instant_of(on, ends),
                }
            )
        elif state == "accepted":
            left.append(
                {
                    "work_order_id": work_id,
                    "run_id": run_id,
                    "reason": rng.choice(("no_skill", "no_caregiver_in_circle", "no_room")),
                    "remaining": {"skill": 4, "allowed": 4, "vendor": 2, "circle": 1, "shift": 1},
                    "would_help": [
                        {
                            "change": "window",
                            "from": [start, start + 3600],
                            "to": [start, start + 7200],
                            "caregiver": caregiver["id"],
                        }
                    ],
                }
            )
        else:
            offers.append(
                {
                    "id": new_id(),
                    "work_order_id": work_id,
                    "vendor_id": vendors[(n // 8) % 3]["id"],
                    "offered_at": at - timedelta(minutes=5),
                    "offer_deadline_at": at + timedelta(minutes=25),
                }
            )
    session.execute(insert(Order), orders)
    session.execute(insert(WorkOrder), rows)
    session.execute(
        insert(DispatchRun),
        [
            {
                "id": run_id,
                "day": day,
                "started_at": at - timedelta(hours=3),
                "finished_at": at - timedelta(hours=3) + timedelta(seconds=41),
                "state": "written",
                "seed": 1,
                "seconds": 41.2,
                "tasks": count,
                "assigned": len(given),
                "violations": 0,
                "totals": {"travel_s": 120 * len(given)},
            }
        ],
    )
    session.execute(insert(Assignment), given)
    if left:
        session.execute(insert(LeftOut), left)
    session.execute(insert(JobOffer), offers)


def _versions():
    return select(ServiceVersion.service_code, ServiceVersion.id)


def bind_family(session: Session, *, elder_id: str, account_id: str, at: datetime) -> None:
    """Let a family account order for and look after the elder."""
    session.execute(
        insert(FamilyLink),
        [
            {
                "id": new_id(),
                "elder_id": elder_id,
                "account_id": account_id,
                "name": "张敏",
                "relation": "女儿",
                "powers": "order,see_visits,see_money,cancel",
                "confirmed_at": at,
            }
        ],
    )


def hold_prices(session: Session, ports: Ports) -> None:
    """Share and hold the price of every work order that is still to come. Commits."""
    works = session.execute(
        select(WorkOrder, ServiceVersion)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(WorkOrder.state.in_(["offered", "accepted", "assigned"]))
        .order_by(WorkOrder.id)
    ).all()
    people = {
        on: facts_of(session, sorted({w.elder_id for w, _ in works if w.visit_on == on}), on)
        for on in {w.visit_on for w, _ in works}
    }
    for work, version in works:
        quote = vouchers.quote(
            session,
            elder_id=work.elder_id,
            service_version=version,
            on=work.visit_on,
            district_code=work.district_code,
            facts=people[work.visit_on].get(work.elder_id),
        )
        vouchers.hold(
            session,
            work_order_id=work.id,
            elder_id=work.elder_id,
            quote=quote,
            at=ports.clock.now(),
        )
    session.commit()
