"""A demonstration city: one seed one city, valid in form, and loaded like a bureau's own files."""

import csv
import hashlib
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from marketplace.elders.models import Elder
from marketplace.kernel.actor import SYSTEM
from marketplace.orders.models import WorkOrder
from marketplace.workflows.demo_city import write_city
from marketplace.workflows.demo_people import credit_code, id_number, phone
from marketplace.workflows.load import run
from marketplace.workflows.publish import publish_packaged
from vendors.models import Caregiver, Vendor

DAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("city")
    write_city(target, orders=300, elders=450, seed=1, day=DAY)
    return target


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_one_seed_writes_the_same_files_to_the_byte(folder, tmp_path) -> None:
    write_city(tmp_path, orders=300, elders=450, seed=1, day=DAY)
    assert digests(tmp_path) == digests(folder)
    write_city(tmp_path, orders=300, elders=450, seed=2, day=DAY)
    assert digests(tmp_path)["elders.csv"] != digests(folder)["elders.csv"]


def test_there_are_as_many_orders_and_elders_as_asked(folder) -> None:
    assert len(rows(folder, "orders")) == 300
    elders = rows(folder, "elders")
    assert len(elders) == 450
    assert len({e["id_number"] for e in elders}) == 450
    assert len({e["id"] for e in elders}) == 450


def test_orders_always_have_their_elders(tmp_path) -> None:
    write_city(tmp_path, orders=60, elders=0, seed=3, day=DAY)
    known = {e["id"] for e in rows(tmp_path, "elders")}
    assert {o["elder_id"] for o in rows(tmp_path, "orders")} <= known


def test_no_number_can_be_a_persons_telephone(folder) -> None:
    phones = [r["phone"] for n in ("elders", "caregivers", "families") for r in rows(folder, n)]
    assert {p[:4] for p in phones if p} == {"1410"}
    assert len([p for p in phones if p]) == len({p for p in phones if p})


def test_elders_of_two_person_baths_are_assessed_as_disabled(folder) -> None:
    level = {e["id"]: e["level"] for e in rows(folder, "elders")}
    bathed = [
        o["elder_id"]
        for o in rows(folder, "orders")
        if o["service_code"] in ("ZY008", "ZY009", "ZY010")
    ]
    assert bathed
    assert all(int(level[e]) >= 2 for e in bathed)


def test_whoever_is_off_or_works_at_a_site_has_no_shift_on_the_road(folder) -> None:
    on_the_day = {
        s["caregiver_id"] for s in rows(folder, "shifts") if s["works_on"] == "2026-11-24"
    }
    skills: dict[str, set[str]] = {}
    for held in rows(folder, "certificates"):
        skills.setdefault(held["caregiver_id"], set()).add(held["skill_code"])
    everybody = {c["id"] for c in rows(folder, "caregivers")}
    assert on_the_day < everybody
    assert not any(skills[c] == {"CALL"} for c in on_the_day)


def test_a_city_loads_without_a_refusal_and_a_second_time_without_a_change(
    session, ports, folder
) -> None:
    publish_packaged(session, ports, SYSTEM)
    plan = run.preview(session, ports, SYSTEM, folder)
    assert plan.refused == []
    list(run.apply(session, ports, SYSTEM, plan))
    assert session.scalar(select(func.count()).select_from(Elder)) == 450
    of_the_day = select(func.count()).select_from(WorkOrder).where(WorkOrder.visit_on == DAY)
    assert session.scalar(of_the_day) == 300
    assert session.scalar(select(func.count()).select_from(Vendor)) == len(rows(folder, "vendors"))
    people = session.scalar(select(func.count()).select_from(Caregiver))
    assert people == len(rows(folder, "caregivers"))
    again = run.preview(session, ports, SYSTEM, folder)
    assert again.refused == []
    assert again.to_write == 0


def test_what_the_generator_calls_a_stop_is_a_stop_in_the_database(session, ports, folder) -> None:
    from dispatch.city import generate

    publish_packaged(session, ports, SYSTEM)
    list(run.apply(session, ports, SYSTEM, run.preview(session, ports, SYSTEM, folder)))
    tasks = {t.id: t for t in generate(orders=300, seed=1, day=DAY.isoformat()).problem().tasks}
    stops = {
        "W" + w.order_id[1:]: w
        for w in session.scalars(
            select(WorkOrder).where(WorkOrder.visit_on == DAY, WorkOrder.is_stop)
        )
    }
    assert stops.keys() == tasks.keys()
    for number, work in stops.items():
        task = tasks[number]
        assert work.service_s == task.service_s, number
        assert work.crew == task.crew
        assert {work.skill_code} == task.skills
        assert (work.window_start_s, work.window_end_s) == task.windows[0]


@pytest.mark.parametrize(("orders", "elders"), [(0, 10), (20_001, 10), (10, -1), (10, 2_000_001)])
def test_a_size_out_of_range_is_named(tmp_path, orders, elders) -> None:
    with pytest.raises(ValueError, match="give"):
        write_city(tmp_path, orders=orders, elders=elders, seed=1, day=DAY)


def test_numbers_are_valid_in_form() -> None:
    from stdnum.cn import ric, uscc

    number = id_number("321202", date(1946, 3, 4), 7, woman=True)
    assert number[-1] == ric.calc_check_digit(number)
    assert int(number[16]) % 2 == 0
    assert uscc.is_valid(credit_code("321202", 12))
    assert phone(3) == "14100000003"
