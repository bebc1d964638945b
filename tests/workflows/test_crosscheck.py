"""Other authorities' lists: each line acts once, refused ones are named, people decide on what is over."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select, text

from marketplace.elders import history, witness
from marketplace.elders.facts import facts_of
from marketplace.elders.models import Elder
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import BadInput, NotAllowed
from marketplace.orders.models import Order, WorkOrder
from marketplace.queries.crosschecks import flags
from marketplace.vouchers import changes
from marketplace.vouchers.grants import plan_grants
from marketplace.vouchers.service import shares_of
from marketplace.workflows import crosscheck
from marketplace.workflows.load.run import apply, preview
from marketplace.workflows.place import place_order
from marketplace.workflows.recur import generate
from marketplace.workflows.upkeep import upkeep
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out
from tests import builders, files
from tests.workflows import world
from tests.workflows.test_visits import assigned, shown
from tests.workflows.world import C1, HOTLINE, MONDAY, TUESDAY, accepted, key, placed, state_of
from vendors.models import VendorCategory

ID_NUMBER = files.id_number("321204", "19460304", 2)
OTHER = files.id_number("321204", "19460305", 4)
WEDNESDAY, DECEMBER = date(2026, 11, 25), date(2026, 12, 1)


@pytest.fixture
def city(city, ports):
    """The small city, its first elder findable by an identity number."""
    city.get(Elder, "E1").id_number_index = ports.vault.index(ID_NUMBER)
    city.get(Elder, "E2").id_number_index = ports.vault.index("nobody's")
    city.commit()
    return city


def read(session, ports, tmp_path, feed, *rows, actor=SYSTEM, encoding="utf-8"):
    columns = list(crosscheck.FEEDS[feed].model.model_fields)
    lines = [",".join(columns), *(",".join(r) for r in rows)]
    path = tmp_path / f"{feed}.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return crosscheck.run(session, ports, actor, feed=feed, name=str(path))


def served(session, ports, clock):
    """Serve a visit of tomorrow; return its work order, done and waiting for the elder's word."""
    work_order_id = assigned(session, ports)
    clock.at = world.local(TUESDAY, 9)
    ask = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=shown(clock))
    check_in(session, ports, C1, key=key(), request=ask)
    clock.advance(hours=1)
    ask = CheckOutRequest(visit_id="X1", shown=shown(clock, "out"))
    check_out(session, ports, C1, key=key(), request=ask)
    return work_order_id


# ---------------------------------------------------------------- deaths


def test_a_death_stops_what_is_to_come_and_gives_the_holds_back(city, ports, tmp_path):
    one = accepted(city, ports)
    plan = place_order(
        city, ports, HOTLINE, key=key(),
        request=world.request(
            rrule="FREQ=DAILY", reference="r-1", window_start_s=50_400, window_end_s=54_000
        ),
    )  # fmt: skip
    done = read(city, ports, tmp_path, "deaths", (ID_NUMBER, "2026-11-22", "N-1"))
    assert (done.applied, done.refused, done.effects.orders_ended) == (1, [], 1)
    ids = [one, *(w.work_order_id for w in plan.work_orders)]
    assert done.effects.called_off == len(ids)
    assert {state_of(city, w) for w in ids} == {"cancelled"}
    assert {s.state for w in ids for s in shares_of(city, w)} == {"released"}
    assert city.get(Elder, "E1").status == "dead"
    assert city.get(Order, plan.order_id).state == "ended"


def test_no_month_is_granted_to_the_dead(city, ports, tmp_path):
    city.get(Elder, "E1").born_on = date(1940, 1, 1)
    city.commit()

    def granted(on):
        people = [("E1", facts_of(city, ["E1"], on)["E1"])]
        return list(plan_grants(changes.book(city), people, Period.of(on), builders.DISTRICT))

    assert granted(DECEMBER)
    read(city, ports, tmp_path, "deaths", (ID_NUMBER, "2026-11-22", ""))
    assert granted(DECEMBER) == []


def test_a_visit_after_the_death_is_held_and_flagged_for_a_person(city, ports, clock, tmp_path):
    work_order_id = served(city, ports, clock)
    done = read(city, ports, tmp_path, "deaths", (ID_NUMBER, "2026-11-23", ""))
    assert done.effects.flagged == 1
    assert state_of(city, work_order_id) == "disputed"
    [flag] = flags(city)
    assert (flag.work_order_id, flag.kind, flag.is_open) == (
        work_order_id,
        "visit_after_death",
        True,
    )
    visit = city.execute(text("SELECT verdict FROM visit")).scalar_one()
    assert visit == "blocked"


def test_a_captured_visit_after_the_death_is_flagged_and_not_taken_back_by_itself(
    city, ports, clock, tmp_path
):
    work_order_id = served(city, ports, clock)
    clock.advance(hours=49)
    upkeep(city, ports)
    read(city, ports, tmp_path, "deaths", (ID_NUMBER, "2026-11-23", ""))
    assert state_of(city, work_order_id) == "confirmed"
    assert [f.kind for f in flags(city)] == ["visit_after_death"]


def test_the_same_list_again_acts_on_nothing(city, ports, tmp_path):
    accepted(city, ports)
    row = (ID_NUMBER, "2026-11-22", "")
    read(city, ports, tmp_path, "deaths", row)
    before = city.execute(text("SELECT count(*) FROM elder_fact")).scalar_one()
    again = read(city, ports, tmp_path, "deaths", row)
    assert (again.applied, again.unchanged, again.effects.called_off) == (0, 1, 0)
    assert city.execute(text("SELECT count(*) FROM elder_fact")).scalar_one() == before


def test_an_older_list_of_elders_brings_nobody_back(city, ports, tmp_path):
    read(city, ports, tmp_path, "deaths", (ID_NUMBER, "2026-11-22", ""))
    row = {**files.ELDER, "id_number": ID_NUMBER, "name": "张桂花"}
    folder = files.write(tmp_path / "in", {"elders": [row]})
    apply(city, ports, SYSTEM, preview(city, ports, SYSTEM, folder))
    city.expire_all()
    elder = city.get(Elder, "E1")
    assert (elder.name, elder.status, elder.status_from) == ("张桂花", "dead", date(2026, 11, 22))


# ---------------------------------------------------------------- households, assistance, insurance


def test_a_household_that_moved_counts_from_the_next_month(city, ports, clock, tmp_path):
    read(city, ports, tmp_path, "households", (ID_NUMBER, "N", "2026-11-10"))
    assert facts_of(city, ["E1"], MONDAY)["E1"]["hukou_local"].value is True
    fact = facts_of(city, ["E1"], DECEMBER)["E1"]["hukou_local"]
    assert (fact.value, fact.source) == (False, "households: households.csv")
    city.expire_all()
    assert city.get(Elder, "E1").hukou_local is True
    clock.at = world.local(DECEMBER, 8)
    upkeep(city, ports)
    city.expire_all()
    assert city.get(Elder, "E1").hukou_local is False
    city.rollback()
    assert list(witness.verify(city.connection())) == []


def test_a_change_that_is_announced_counts_from_its_own_month(city, ports, tmp_path):
    read(city, ports, tmp_path, "assistance", (ID_NUMBER, "dibao", "2027-02-14"))
    facts = {
        m: facts_of(city, ["E1"], date(2027, m, 1))["E1"]["income_class"].value for m in (1, 2)
    }
    assert facts == {1: "ordinary", 2: "dibao"}


def test_the_insurer_decides_from_which_day_it_pays(city, ports, tmp_path):
    city.get(Elder, "E1").special = "tefu"
    city.commit()
    read(city, ports, tmp_path, "ltci", (ID_NUMBER, "Y", "2026-11-24"))
    read(city, ports, tmp_path, "ltci", (ID_NUMBER, "N", "2026-11-26"))
    found = [facts_of(city, ["E1"], date(2026, 11, d))["E1"]["special"].value for d in (23, 24, 26)]
    assert found == [{"tefu"}, {"tefu", "ltci"}, {"tefu"}]


# ---------------------------------------------------------------- hospital and institution


def test_a_hospital_stay_suspends_visits_and_plans_go_on_after_it(city, ports, clock, tmp_path):
    answer = place_order(
        city, ports, HOTLINE, key=key(),
        request=world.request(rrule="FREQ=DAILY", reference="r-1", skip_holidays=False),
    )  # fmt: skip
    stay = (ID_NUMBER, "hospital", "人民医院", "2026-11-23")
    done = read(city, ports, tmp_path, "stays", (*stay, ""))
    assert done.effects.called_off == len(answer.work_orders)
    clock.advance(days=3)
    generate(city, ports)
    made = select(func.count()).where(WorkOrder.elder_id == "E1", WorkOrder.state == "pooled")
    assert city.scalar(made) == 0
    read(city, ports, tmp_path, "stays", (*stay, "2026-11-26"))
    generate(city, ports)
    days = select(WorkOrder.visit_on).where(WorkOrder.elder_id == "E1", WorkOrder.state == "pooled")
    assert sorted(city.scalars(days)) == [date(2026, 11, 27), date(2026, 11, 28)]


def test_escort_goes_on_in_hospital_and_meals_do_not(city, ports, tmp_path):
    builders.a_service(city, "YL001", skill_code="GEN", name_zh="陪诊", duration_min=240)
    city.add(VendorCategory(vendor_id="V1", category_code="YL"))
    city.commit()
    escort = placed(city, ports, service_code="YL001")
    lunch = {"service_code": "ZC006", "window_start_s": 38_400, "window_end_s": 42_600}
    meal = placed(city, ports, **lunch)
    read(city, ports, tmp_path, "stays", (ID_NUMBER, "hospital", "", "2026-11-23", ""))
    assert (state_of(city, escort), state_of(city, meal)) == ("pooled", "cancelled")


def test_an_institution_is_no_home_but_a_hospital_is_left_again(city, ports, tmp_path):
    read(city, ports, tmp_path, "stays", (ID_NUMBER, "hospital", "", "2026-11-23", ""))
    assert facts_of(city, ["E1"], DECEMBER)["E1"]["at_home"].value is True
    read(city, ports, tmp_path, "stays", (ID_NUMBER, "institution", "", "2026-11-25", ""))
    assert facts_of(city, ["E1"], DECEMBER)["E1"]["at_home"].value is False
    assert facts_of(city, ["E1"], date(2026, 11, 24))["E1"]["at_home"].value is True


def test_a_visit_in_the_middle_of_a_stay_is_flagged(city, ports, clock, tmp_path):
    served(city, ports, clock)
    clock.advance(days=3)
    row = (ID_NUMBER, "hospital", "", "2026-11-22", "2026-11-26")
    assert read(city, ports, tmp_path, "stays", row).effects.flagged == 1
    assert [f.kind for f in flags(city)] == ["visit_in_hospital"]


# ---------------------------------------------------------------- lines


def test_refused_lines_are_named_and_the_others_are_taken(city, ports, tmp_path):
    done = read(
        city,
        ports,
        tmp_path,
        "deaths",
        ("123", "2026-11-22", ""),
        (ID_NUMBER, "2026-13-22", ""),
        (ID_NUMBER, "2027-01-01", ""),
        (ID_NUMBER, "2026-11-22", ""),
        (OTHER, "2026-11-22", ""),
        encoding="gb18030",
    )
    assert [(r.line, r.field, r.code) for r in done.refused] == [
        (2, "id_number", "bad_id_number"),
        (3, "died_on", "not_a_date"),
        (4, "died_on", "in_the_future"),
    ]
    assert (done.applied, done.unknown) == (1, 1)


def test_a_person_who_comes_into_the_register_later_is_not_missed(city, ports, tmp_path):
    row = (OTHER, "Y", "2026-11-01")
    assert read(city, ports, tmp_path, "households", row).unknown == 1
    city.get(Elder, "E2").id_number_index = ports.vault.index(OTHER)
    city.get(Elder, "E2").hukou_local = False
    city.commit()
    assert read(city, ports, tmp_path, "households", row).applied == 1


def test_a_killed_run_is_run_again_and_goes_on(city, ports, tmp_path, monkeypatch):
    monkeypatch.setattr(crosscheck, "BATCH", 1)
    city.get(Elder, "E2").id_number_index = ports.vault.index(OTHER)
    city.commit()
    rows = ((ID_NUMBER, "2026-11-22", ""), (OTHER, "2026-11-22", ""))
    whole = history.change

    def killed(session, elder_id, *args, **values):
        if elder_id == "E2":
            raise KeyboardInterrupt
        return whole(session, elder_id, *args, **values)

    monkeypatch.setattr(history, "change", killed)
    with pytest.raises(KeyboardInterrupt):
        read(city, ports, tmp_path, "deaths", *rows)
    monkeypatch.setattr(history, "change", whole)
    done = read(city, ports, tmp_path, "deaths", *rows)
    assert (done.applied, done.unchanged) == (1, 1)
    city.expire_all()
    assert {city.get(Elder, e).status for e in ("E1", "E2")} == {"dead"}


def test_no_identity_number_is_kept_of_a_list(city, ports, tmp_path):
    read(city, ports, tmp_path, "deaths", (ID_NUMBER, "2026-11-22", ""))
    stored = " ".join(
        str(r)
        for table in ("cross_check_line", "cross_check_run", "elder_fact", "audit_event")
        for r in city.execute(text(f"SELECT * FROM {table}"))
    )
    assert ID_NUMBER not in stored


def test_only_civil_affairs_runs_a_list_and_it_must_be_one_of_five(city, ports, tmp_path):
    with pytest.raises(NotAllowed):
        read(city, ports, tmp_path, "deaths", actor=HOTLINE)
    with pytest.raises(BadInput):
        crosscheck.run(city, ports, SYSTEM, feed="weather", name="x.csv")
    done = crosscheck.run(city, ports, SYSTEM, feed="deaths", name=str(tmp_path / "none.csv"))
    assert [(r.line, r.code) for r in done.refused] == [(0, "missing_file")]
