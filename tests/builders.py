"""Rows for tests, with plain keyword defaults. Each adds to the session and returns the row."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from marketplace.catalogue.models import Category, Service, ServiceVersion
from marketplace.elders import witness
from marketplace.elders.facts import facts_of, facts_of_district
from marketplace.elders.models import Assessment, Elder
from marketplace.kernel.clock import Period, instant_of
from marketplace.orders.models import Order, WorkOrder
from marketplace.visits.models import Visit
from marketplace.vouchers import changes, service
from marketplace.vouchers.grants import plan_grants, write_grants
from marketplace.vouchers.models import GrantRun
from marketplace.vouchers.service import HoldReceipt
from vendors.models import Caregiver, Site, Vendor

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
TODAY = date(2026, 11, 23)
DISTRICT = "321204"
NOVEMBER = Period(2026, 11)


def an_elder(session: Session, id: str = "E1", **values) -> Elder:
    defaults = {
        "name": "张桂兰",
        "initials": "zgl",
        "gender": "f",
        "born_on": date(1946, 3, 4),
        "id_number_sealed": b"x",
        "id_number_index": f"index-of-{id}",
        "address": "姜堰区",
        "district_code": DISTRICT,
        "lat": 32.51,
        "lng": 120.14,
        "location_level": "exact",
        "hukou_local": True,
        "income_class": "ordinary",
        "lives_alone": False,
        "updated_at": NOW,
    }
    elder = Elder(id=id, **(defaults | values))
    session.add(elder)
    session.flush()
    written = {name: getattr(elder, name) for name in ("id", *witness.ELDER_COLUMNS)}
    witness.record_elders(session, [written], at=NOW)
    return elder


def an_assessment(session: Session, elder_id: str = "E1", level: int = 2, **values) -> Assessment:
    defaults = {
        "assessed_on": date(2026, 3, 1),
        "valid_until": date(2027, 2, 28),
        "score": {0: 90, 1: 70, 2: 50, 3: 35, 4: 10}[level],
    }
    row = Assessment(elder_id=elder_id, level=level, **(defaults | values))
    session.add(row)
    session.flush()
    written = {c.name: getattr(row, c.name) for c in Assessment.__table__.columns}
    witness.record(session, "assessment", [written], at=NOW)
    return row


def a_service(session: Session, code: str = "ZJ001", **values) -> ServiceVersion:
    """A service version, with its category and service where they are missing."""
    category = code[:2]
    if session.get(Category, category) is None:
        session.add(Category(code=category, name_zh=category, name_en=category, position=1))
        session.flush()
    if session.get(Service, code) is None:
        session.add(Service(code=code, category_code=category))
        session.flush()
    defaults = {
        "valid_from": date(2026, 1, 1),
        "name_zh": "居室清洁",
        "name_en": "Cleaning",
        "initials": "jsqj",
        "pinyin": "jushiqingjie",
        "unit": "次",
        "price_fen": 6000,
        "duration_min": 60,
        "caregivers": 1,
        "skill_code": "GEN",
        "mode": "home",
        "time_class": "flexible_day",
        "subsidised": True,
    }
    version = ServiceVersion(service_code=code, **(defaults | values))
    session.add(version)
    session.flush()
    return version


def a_vendor(session: Session, id: str = "V1", **values) -> Vendor:
    defaults = {
        "name": "德寿护理",
        "uscc": f"91321200{id:>10}",
        "size": "middle",
        "phone": "0523-88012349",
        "updated_at": NOW,
    }
    vendor = Vendor(id=id, **(defaults | values))
    session.add(vendor)
    session.flush()
    return vendor


def a_caregiver(
    session: Session, id: str = "C1", vendor_id: str = "V1", site_id: str = "S1", **values
) -> Caregiver:
    if session.get(Site, site_id) is None:
        session.add(
            Site(
                id=site_id,
                kind="centre",
                name="居家养老服务中心",
                address="姜堰区",
                district_code=DISTRICT,
                lat=32.51,
                lng=120.14,
            )
        )
        session.flush()
    defaults = {"name": "李梅", "gender": "f", "updated_at": NOW}
    caregiver = Caregiver(id=id, vendor_id=vendor_id, base_site_id=site_id, **(defaults | values))
    session.add(caregiver)
    session.flush()
    return caregiver


def a_work_order(
    session: Session,
    id: str = "W1",
    elder_id: str = "E1",
    version: ServiceVersion | None = None,
    **values,
) -> WorkOrder:
    """A work order with an order of its own."""
    version = version or a_service(session)
    order = Order(
        id=f"O-{id}",
        elder_id=elder_id,
        service_code=version.service_code,
        channel="hotline",
        placed_at=NOW,
        placed_by="hotline-1",
        placed_role="hotline",
        authority="recording:1",
        starts_on=values.get("visit_on", TODAY),
        window_start_s=8 * 3600,
        window_end_s=11 * 3600,
    )
    session.add(order)
    session.flush()
    defaults = {
        "order_id": order.id,
        "visit_on": TODAY,
        "window_start_s": 8 * 3600,
        "window_end_s": 11 * 3600,
        "state": "pooled",
        "service_code": version.service_code,
        "service_version_id": version.id,
        "price_fen": version.price_fen,
        "service_s": version.duration_min * 60,
        "crew": version.caregivers,
        "skill_code": version.skill_code,
        "mode": version.mode,
        "category_code": version.service_code[:2],
        "time_class": version.time_class,
        "is_stop": True,
        "lat": 32.51,
        "lng": 120.14,
        "district_code": DISTRICT,
        "created_at": NOW,
    }
    work_order = WorkOrder(id=id, elder_id=elder_id, **(defaults | values))
    session.add(work_order)
    session.flush()
    return work_order


def a_visit(
    session: Session,
    id: str = "X1",
    work_order: WorkOrder | None = None,
    caregiver_id: str = "C1",
    **values,
) -> Visit:
    """A verified visit of an hour."""
    work_order = work_order or a_work_order(session)
    defaults = {
        "work_order_id": work_order.id,
        "elder_id": work_order.elder_id,
        "service_code": work_order.service_code,
        "visit_on": work_order.visit_on,
        "lat": 32.51,
        "lng": 120.14,
        "check_in_at": instant_of(work_order.visit_on, 9 * 3600),
        "check_out_at": instant_of(work_order.visit_on, 10 * 3600),
        "verdict": "verified",
    }
    visit = Visit(id=id, caregiver_id=caregiver_id, **(defaults | values))
    session.add(visit)
    session.flush()
    return visit


def granted(
    session: Session, period: Period = NOVEMBER, district: str = DISTRICT, run: str = "run"
) -> str:
    """Grant a month to every elder of a district, as released by a second person; return the run."""
    row = GrantRun(
        id=f"{run}-{period}-{district}",
        period=str(period),
        district_code=district,
        state="released",
        previewed_by="bureau-1",
        released_by="bureau-2",
        previewed_at=NOW,
        released_at=NOW,
        preview_sha256="0" * 64,
        new=0,
        minutes=0,
        fen=0,
    )
    session.add(row)
    session.flush()
    for people in facts_of_district(session, district, period.first):
        write_grants(
            session,
            list(plan_grants(changes.book(session), people, period, district)),
            period=period,
            district_code=district,
            run_id=row.id,
            at=NOW,
        )
    return row.id


def a_hold(
    session: Session,
    id: str = "W1",
    elder_id: str = "E1",
    version: ServiceVersion | None = None,
    quantity: int = 1,
    **values,
) -> HoldReceipt:
    """A work order whose price is quoted and held."""
    version = version or a_service(session)
    work_order = a_work_order(session, id=id, elder_id=elder_id, version=version, **values)
    quote = service.quote(
        session,
        elder_id=elder_id,
        service_version=version,
        on=work_order.visit_on,
        district_code=DISTRICT,
        quantity=quantity,
        facts=facts_of(session, [elder_id], work_order.visit_on)[elder_id],
    )
    return service.hold(session, work_order_id=id, elder_id=elder_id, quote=quote, at=NOW)


def a_captured_visit(
    session: Session,
    id: str = "W1",
    version: ServiceVersion | None = None,
    *,
    vendor_id: str = "V1",
    at: datetime = NOW,
    **values,
) -> Visit:
    """A work order that was held, visited, confirmed and captured."""
    a_hold(session, id=id, version=version, vendor_id=vendor_id, **values)
    visit = a_confirmed_visit(session, id)
    service.capture(session, work_order_id=id, visit_id=visit.id, vendor_id=vendor_id, at=at)
    return visit


def a_confirmed_visit(session: Session, id: str, state: str = "confirmed") -> Visit:
    """The visit of a work order that is held; nothing is captured."""
    work_order = session.get_one(WorkOrder, id)
    visit = a_visit(session, id=f"X-{id}", work_order=work_order)
    work_order.state = state
    session.flush()
    return visit


def a_poor_elder(session: Session) -> None:
    """An elder of 80 with low income and moderate disability, granted for November, and who may serve."""
    an_elder(session, income_class="dibao")
    an_assessment(session, level=2)
    a_vendor(session)
    a_caregiver(session)
    granted(session)
