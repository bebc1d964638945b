"""Loading a folder: what is refused says why and where, what is accepted is all there, twice is once."""

from __future__ import annotations

import csv
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import func, select, update

from marketplace.elders import witness
from marketplace.elders.models import Assessment, Elder, ElderFact, FamilyLink
from marketplace.kernel.actor import SYSTEM, Actor, Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.errors import NotAllowed, NotFound
from marketplace.kernel.ports import Located
from marketplace.orders.models import Order, WorkOrder
from marketplace.workflows import crosscheck
from marketplace.workflows.load import chinese, export, register, run
from marketplace.workflows.load.refused import write_refused
from marketplace.workflows.load.rows import OrderFileRow
from marketplace.workflows.onboard import CallerRequest, onboard_caller
from tests import builders
from tests.databases import MONDAY_MORNING
from tests.files import ELDER, FOLDER, id_number, write
from tests.processes import alone
from vendors.models import Caregiver, Certificate, Shift, Site, Vendor, VendorCategory


class Gazetteer:
    """Knows two towns of Hailing."""

    def locate(self, address: str) -> Located | None:
        if "海陵区" not in address:
            return None
        town = "321202001" if "城东街道" in address else None
        return Located(
            32.4991, 119.9234, "town" if town else "district", "321202", town, None, "test"
        )


@pytest.fixture
def ports(ports):
    return replace(ports, geocoder=Gazetteer())


@pytest.fixture
def city(session, ports):
    """A catalogue of two services is enough here."""
    builders.a_service(session, "ZC001")
    builders.a_service(session, "ZJ001")
    session.commit()


def load(session, ports, folder: Path):
    plan = run.preview(session, ports, SYSTEM, folder)
    return plan, run.apply(session, ports, SYSTEM, plan)


def count(session, model) -> int:
    return session.scalar(select(func.count()).select_from(model))


def test_a_folder_is_loaded_whole(session, ports, city, tmp_path):
    plan, written = load(session, ports, write(tmp_path, FOLDER))
    assert plan.refused == []
    assert {w.name: w.new for w in written} == {
        "vendors": 1,
        "licences": 1,
        "sites": 1,
        "caregivers": 1,
        "certificates": 1,
        "shifts": 2,
        "elders": 2,
        "families": 1,
        "refusals": 1,
        "orders": 1,
    }
    elder = session.get(Elder, "E1")
    assert ports.vault.open(elder.id_number_sealed) == ELDER["id_number"]
    assert elder.town_code == "321202001"
    assert session.get(Elder, "E2").location_level == "town"
    assert session.scalar(select(Assessment.valid_until)).isoformat() == "2027-03-01"
    assert session.get(Caregiver, "C1").max_work_s == 28_800
    assert count(session, WorkOrder) > 0


def test_loading_the_same_folder_twice_changes_nothing(session, ports, city, tmp_path):
    folder = write(tmp_path, FOLDER)
    load(session, ports, folder)
    events = count(session, AuditEvent)
    plan, written = load(session, ports, folder)
    assert plan.to_write == 0
    assert sum(f.unchanged for f in plan.files) == 12
    assert written == []
    assert count(session, AuditEvent) == events


def test_the_same_folder_in_chinese_is_the_same_folder(session, ports, city, tmp_path):
    load(session, ports, write(tmp_path / "codes", FOLDER))
    headings = {column: zh for zh, column in chinese.HEADINGS.items()}
    values = {c: {code: zh for zh, code in words.items()} for c, words in chinese.VALUES.items()}

    def said(column, cell):
        words = values.get(column, {})
        if column not in chinese.LISTS:
            return words.get(cell, cell)
        return "；".join(words.get(part, part) for part in cell.split(";"))

    spoken = {
        name: [{headings[c]: said(c, cell) for c, cell in row.items()} for row in rows]
        for name, rows in FOLDER.items()
    }
    assert spoken["elders"][0]["收入类别"] == "低保"
    folder = write(tmp_path / "zh", spoken, encoding="gb18030")
    plan, written = load(session, ports, folder)
    assert (plan.refused, plan.to_write, written) == ([], 0, [])


def test_every_column_of_every_file_has_its_chinese_heading(ports):
    models = [k.model for k in register.kinds(ports)] + [OrderFileRow]
    models += [feed.model for feed in crosscheck.FEEDS.values()]
    missing = {c for m in models for c in m.model_fields} - set(chinese.HEADINGS.values())
    assert missing == set()


def test_a_changed_row_is_changed_and_the_others_stay(session, ports, city, tmp_path):
    folder = write(tmp_path, FOLDER)
    load(session, ports, folder)
    mended = [{**ELDER, "door_notes": "按铃三次"}, *FOLDER["elders"][1:]]
    plan, _ = load(session, ports, write(tmp_path, {"elders": mended}))
    elders = next(f for f in plan.files if f.name == "elders")
    assert (elders.new, elders.changed, elders.unchanged) == (0, 1, 1)
    assert session.get(Elder, "E1").door_notes == "按铃三次"
    assert count(session, Assessment) == 1


def test_what_a_file_wrote_is_witnessed_and_what_nobody_wrote_is_found(
    session, ports, city, tmp_path
):
    load(session, ports, write(tmp_path, FOLDER))
    other = {"income_class": "ordinary", "status": "away", "score": "40", "level": "3"}
    load(session, ports, write(tmp_path, {"elders": [{**ELDER, **other}]}))
    assert count(session, ElderFact) > 0
    session.rollback()
    assert list(witness.verify(session.connection())) == []
    session.execute(update(Elder).where(Elder.id == "E2").values(income_class="tekun"))
    assert [(f.row, f.rule) for f in witness.verify(session.connection())] == [
        ("E2", "its income_class is not what was recorded")
    ]
    session.rollback()


def test_a_status_keeps_its_date_while_other_fields_change(session, ports, clock, city, tmp_path):
    away = {**ELDER, "status": "dead"}
    load(session, ports, write(tmp_path, {"elders": [away]}))
    died = session.get(Elder, "E1").status_from
    session.rollback()
    clock.advance(days=3)
    load(session, ports, write(tmp_path, {"elders": [{**away, "door_notes": "x"}]}))
    assert session.get(Elder, "E1").status_from == died


def test_a_preview_writes_nothing(session, ports, city, tmp_path):
    plan = run.preview(session, ports, SYSTEM, write(tmp_path, FOLDER))
    assert plan.to_write == 12
    assert count(session, Vendor) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_usual_encodings_are_read(session, ports, city, tmp_path, encoding):
    plan, _ = load(session, ports, write(tmp_path, FOLDER, encoding=encoding))
    assert plan.refused == []
    assert session.get(Vendor, "V1").name == "金康养老"


def test_a_workbook_is_read_like_a_list(session, ports, city, tmp_path):
    folder = write(tmp_path, {k: v for k, v in FOLDER.items() if k != "elders"})
    book = Workbook()
    sheet = book.active
    sheet.append(list(ELDER))
    for row in FOLDER["elders"]:
        sheet.append(
            [float(v) if k in ("lat", "lng", "score") and v else v for k, v in row.items()]
        )
    book.save(folder / "elders.xlsx")
    plan, _ = load(session, ports, folder)
    assert plan.refused == []
    assert session.get(Elder, "E1").lat == 32.5


BAD_ELDERS = [
    ("id", "E:1", "joining_sign"),
    ("id", "E/1", "joining_sign"),
    ("name", "", "missing_value"),
    ("name", "=HYPERLINK(1)", "formula"),
    ("name", "@SUM(A1)", "formula"),
    ("name", "张\x07兰", "control_character"),
    ("name", "张" * 41, "too_long"),
    ("gender", "妇", "unknown_choice"),
    ("born_on", "1946/03/04", "not_a_date"),
    ("born_on", "2046-03-04", "in_the_future"),
    ("born_on", "1846-03-04", "too_long_ago"),
    ("born_on", "1946-03-05", "disagrees_with_id_number"),
    ("gender", "M", "disagrees_with_id_number"),
    ("id_number", "32120219460304002X1", "bad_id_number"),
    ("id_number", "321202194603040000", "bad_id_number"),
    ("phone", "12345", "bad_phone"),
    ("phone", "+1 202 555 0143", "bad_phone"),
    ("phone", "=cmd", "formula"),
    ("address", "上海市浦东新区", "address_unknown"),
    ("lat", "abc", "not_a_number"),
    ("lat", "NaN", "not_a_number"),
    ("lat", "", "missing_value"),
    ("lng", "181", "out_of_range"),
    ("lat", "48.85", "coordinates_elsewhere"),
    ("hukou_local", "yes", "unknown_choice"),
    ("income_class", "rich", "unknown_choice"),
    ("special", "tefu;famous", "unknown_choice"),
    ("status", "gone", "unknown_choice"),
    ("assessed_on", "", "assessment_incomplete"),
    ("assessed_on", "2026-12-24", "in_the_future"),
    ("score", "91", "out_of_range"),
    ("score", "5.5", "not_a_number"),
    ("level", "0", "disagrees_with_score"),
]


@pytest.mark.parametrize(("name", "value", "code"), BAD_ELDERS)
def test_a_bad_elder_is_refused_by_line_and_field(
    session, ports, city, tmp_path, name, value, code
):
    folder = write(tmp_path, {"elders": [{**ELDER, name: value}, FOLDER["elders"][1]]})
    plan, _ = load(session, ports, folder)
    assert [(r.file, r.line, r.field, r.code) for r in plan.refused] == [
        ("elders.csv", 2, name if code != "missing_value" or name != "lat" else "lat", code)
    ]
    assert list(session.scalars(select(Elder.id))) == ["E2"]


def test_swapped_coordinates_are_recognised(session, ports, city, tmp_path):
    bad = {**ELDER, "lat": ELDER["lng"], "lng": ELDER["lat"]}
    plan, _ = load(session, ports, write(tmp_path, {"elders": [bad]}))
    assert [r.code for r in plan.refused] == ["coordinates_swapped"]


BAD_OTHERS = [
    ("vendors", "uscc", "91321200MA00000000", "bad_uscc"),
    ("vendors", "category_codes", "ZC;QQ", "unknown_category"),
    ("vendors", "district_codes", "12", "bad_code"),
    ("vendors", "open_share", "1.5", "out_of_range"),
    ("licences", "vendor_id", "V9", "unknown_vendor"),
    ("licences", "valid_until", "2026-11-22", "expired"),
    ("sites", "meals_ready", "25.00", "not_a_time"),
    ("sites", "vendor_id", "V9", "unknown_vendor"),
    ("caregivers", "base_site_id", "S9", "unknown_site"),
    ("caregivers", "rest_min", "", "rest_incomplete"),
    ("caregivers", "rest_min", "200", "rest_too_long"),
    ("caregivers", "max_work_h", "25", "out_of_range"),
    ("certificates", "skill_code", "MAGIC", "unknown_choice"),
    ("certificates", "valid_until", "2026-11-22", "expired"),
    ("certificates", "valid_until", "2020-01-01", "ends_before_it_begins"),
    ("shifts", "ends", "07:00", "ends_before_it_begins"),
    ("shifts", "ends", "14:30", "shift_overlaps"),
    ("families", "elder_id", "E9", "unknown_elder"),
    ("refusals", "caregiver_id", "C9", "unknown_caregiver"),
    ("families", "powers", "everything", "unknown_choice"),
    ("orders", "elder_id", "E9", "unknown_elder"),
    ("orders", "window_end", "06:00", "ends_before_it_begins"),
    ("orders", "quantity", "0", "out_of_range"),
]


@pytest.mark.parametrize(("file", "name", "value", "code"), BAD_OTHERS)
def test_a_bad_row_is_refused_with_its_code(
    session, ports, city, tmp_path, file, name, value, code
):
    rows = [{**FOLDER[file][0], name: value}, *FOLDER[file][1:]]
    plan = run.preview(session, ports, SYSTEM, write(tmp_path, {**FOLDER, file: rows}))
    first = plan.refused[0]
    assert (first.file, first.code) == (f"{file}.csv", code)


def test_an_unknown_service_is_refused_by_the_order_rules(session, ports, city, tmp_path):
    rows = [{**FOLDER["orders"][0], "service_code": "XX999"}]
    plan, _ = load(session, ports, write(tmp_path, {**FOLDER, "orders": rows}))
    assert [(r.line, r.field, r.code) for r in plan.refused] == [
        (2, "service_code", "service_not_in_force")
    ]
    assert count(session, Order) == 0


def test_a_person_under_two_numbers_is_refused(session, ports, city, tmp_path):
    plan, _ = load(session, ports, write(tmp_path, {"elders": [ELDER, {**ELDER, "id": "E7"}]}))
    assert [(r.line, r.field, r.code) for r in plan.refused] == [(3, "id_number", "person_twice")]


def test_a_key_that_stands_twice_is_refused_the_second_time(session, ports, city, tmp_path):
    plan, _ = load(session, ports, write(tmp_path, {"elders": [ELDER, ELDER]}))
    assert [(r.line, r.code, r.facts["line"]) for r in plan.refused] == [(3, "twice_in_file", 2)]


def _lines(folder: Path) -> list[bytes]:
    return (folder / "elders.csv").read_bytes().splitlines(keepends=True)


def test_a_broken_line_never_swallows_its_neighbours(session, ports, city, tmp_path):
    folder = write(tmp_path, {"elders": FOLDER["elders"]})
    head, first, second = _lines(folder)
    bad = [
        b"E3,\xff\xfe\xfa bytes\n",
        b"E4," + b"x" * 10_000_000 + b"\n",
        b'E5,"never closed\n',
        b"E6,too,few\n",
        b"\n",
    ]
    (folder / "elders.csv").write_bytes(b"".join([head, first, *bad, second]))
    plan, _ = load(session, ports, folder)
    assert {(r.line, r.code) for r in plan.refused} == {
        (3, "broken_encoding"),
        (4, "line_too_long"),
        (5, "quote_not_closed"),
        (6, "too_few_cells"),
    }
    assert sorted(session.scalars(select(Elder.id))) == ["E1", "E2"]


@pytest.mark.parametrize(
    ("heading", "code"),
    [(b"id,name\n", "missing_column"), (b"", "empty_file")],
)
def test_a_file_without_its_heading_is_refused_whole(session, ports, city, tmp_path, heading, code):
    folder = write(tmp_path, {})
    (folder / "elders.csv").write_bytes(heading)
    plan, written = load(session, ports, folder)
    assert plan.refused[0].code == code
    assert plan.refused[0].line == 0
    assert written == []


def test_a_broken_workbook_is_refused(session, ports, city, tmp_path):
    (tmp_path / "elders.xlsx").write_bytes(b"PK no workbook")
    plan, _ = load(session, ports, tmp_path)
    assert [r.code for r in plan.refused] == ["unreadable_file"]


def test_a_folder_without_files_is_named(session, ports, city, tmp_path):
    with pytest.raises(NotFound):
        run.preview(session, ports, SYSTEM, tmp_path)


def test_only_those_who_may_load_do(session, ports, city, tmp_path):
    vendor = Actor(user_id="u", role=Role.VENDOR, vendor_id="V1")
    with pytest.raises(NotAllowed):
        run.preview(session, ports, vendor, write(tmp_path, FOLDER))


def test_refused_rows_are_written_mended_and_loaded(session, ports, city, tmp_path):
    folder = write(
        tmp_path / "in", {**FOLDER, "elders": [{**ELDER, "phone": "123"}, FOLDER["elders"][1]]}
    )
    plan, _ = load(session, ports, folder)
    out = tmp_path / "refused"
    write_refused(folder, out, plan.refused, lambda r: r.code, lambda r: r.expected)
    text = (out / "elders.csv").read_text("utf-8-sig")
    assert "E2" not in text
    (out / "elders.csv").write_text(text.replace(",123,", ",13812342210,"), "utf-8")
    reasons = list(csv.DictReader((out / "reasons.csv").open(encoding="utf-8-sig")))
    assert (reasons[0]["line"], reasons[0]["field"]) == ("2", "phone")
    again, _ = load(session, ports, out)
    assert [r for r in again.refused if r.file == "elders.csv"] == []
    assert session.get(Elder, "E1") is not None


def test_a_note_that_begins_like_a_formula_is_no_formula_in_the_workbook(
    session, ports, city, tmp_path
):
    load(session, ports, write(tmp_path / "in", FOLDER))
    session.scalars(select(Elder).limit(1)).one().door_notes = "=HYPERLINK(1)"
    session.commit()
    dict(export.export(session, ports, SYSTEM, tmp_path / "x", reason="test", xlsx=True))
    sheet = load_workbook(tmp_path / "x" / "elders.xlsx").active
    [note] = [c for row in sheet.iter_rows() for c in row if c.value == "=HYPERLINK(1)"]
    assert note.data_type == "s"


@pytest.mark.parametrize("xlsx", [False, True])
def test_what_is_exported_loads_as_unchanged(session, ports, city, tmp_path, xlsx):
    load(session, ports, write(tmp_path / "in", FOLDER))
    out = tmp_path / "out"
    counts = dict(export.export(session, ports, SYSTEM, out, reason="test", xlsx=xlsx))
    assert counts["elders"] == 2
    plan = run.preview(session, ports, SYSTEM, out)
    assert plan.refused == []
    assert plan.to_write == 0
    event = session.scalar(select(AuditEvent).where(AuditEvent.action == "export"))
    assert event.reason == "test"


def load_and_be_killed(session, ports, folder):
    """Die in the middle of the elders, of whom two hundred are written at a time."""

    def tick(name, _written):
        if name == "elders":
            os.kill(os.getpid(), signal.SIGKILL)

    run.CHUNK = 200
    run.CHUNK = 200
    ports = replace(ports, geocoder=Gazetteer())
    run.apply(session, ports, SYSTEM, run.preview(session, ports, SYSTEM, folder), tick=tick)


def test_a_load_that_is_killed_leaves_whole_files_and_can_be_repeated(
    session, ports, city, database_url, tmp_path
):
    many = [
        {**ELDER, "id": f"E{n:05d}", "id_number": id_number("321202", "19460304", 2 * n % 1000)}
        for n in range(500)
    ]
    folder = write(
        tmp_path / "in", {**FOLDER, "elders": many, "families": [], "refusals": [], "orders": []}
    )
    ended = alone(load_and_be_killed, database_url, tmp_path, MONDAY_MORNING, folder)
    assert ended == -signal.SIGKILL
    assert count(session, Vendor) == 1
    assert count(session, Shift) == 2
    assert count(session, Elder) == 0
    session.rollback()
    load(session, ports, folder)
    assert count(session, Elder) == 500
    assert count(session, Site) == count(session, VendorCategory) / 2 == count(session, Certificate)


def taken_on(session, ports, **changed) -> str:
    """Take the first elder of the folder on by telephone; return the provisional number."""
    request = CallerRequest(
        **{
            "phone": FOLDER["elders"][0]["phone"],
            "name": FOLDER["elders"][0]["name"],
            "address": "海陵区城东街道东风居委会1号",
            "born_year": 1946,
            "consent": "REC-1",
            **changed,
        }
    )
    hotline = Actor("u-hotline", Role.HOTLINE)
    key = f"take-{changed}"
    return onboard_caller(session, ports, hotline, key=key, request=request).elder_id


def test_a_caller_whom_the_register_names_keeps_one_file(session, ports, city, tmp_path):
    caller = taken_on(session, ports)
    plan, _ = load(session, ports, write(tmp_path, FOLDER))
    assert plan.refused == []
    elder = session.get(Elder, caller)
    assert (elder.register_id, elder.gender, elder.income_class) == ("E1", "F", "dibao")
    assert session.get(Elder, "E1") is None
    assert session.scalars(select(FamilyLink.elder_id)).all() == [caller]
    assert session.scalars(select(Order.elder_id)).all() == [caller]
    assert session.scalar(select(Assessment.level).where(Assessment.elder_id == caller)) == 2
    joined = select(AuditEvent.subject_id).where(AuditEvent.action == "join_caller")
    assert session.scalars(joined).all() == [caller]


def test_the_registers_number_of_a_caller_means_the_callers_file_ever_after(
    session, ports, city, tmp_path
):
    caller = taken_on(session, ports)
    load(session, ports, write(tmp_path / "first", FOLDER))
    again, _ = load(session, ports, write(tmp_path / "again", FOLDER))
    assert (again.to_write, again.refused) == (0, [])
    later = {"families": [FOLDER["families"][0] | {"name": "张小妹", "relation": "女儿"}]}
    plan, _ = load(session, ports, write(tmp_path / "later", later))
    assert plan.refused == []
    assert set(session.scalars(select(FamilyLink.elder_id))) == {caller}
    out = tmp_path / "out"
    list(export.export(session, ports, SYSTEM, out, reason="test"))
    assert run.preview(session, ports, SYSTEM, out).to_write == 0
    assert "E1," in (out / "elders.csv").read_text("utf-8")


def test_a_caller_whom_no_register_named_is_not_in_the_registers_file(session, ports, tmp_path):
    caller = taken_on(session, ports)
    list(export.export(session, ports, SYSTEM, tmp_path, reason="test"))
    assert caller not in (tmp_path / "elders.csv").read_text("utf-8")


def test_an_unclear_caller_is_refused_and_both_years_are_named(session, ports, city, tmp_path):
    caller = taken_on(session, ports, born_year=1944)
    plan, _ = load(session, ports, write(tmp_path, FOLDER))
    [refusal] = [r for r in plan.refused if r.file == "elders.csv"]
    assert (refusal.line, refusal.field, refusal.code) == (2, "phone", "caller_unclear")
    assert refusal.value == f"{caller} 1944"
    assert session.get(Elder, caller).register_id is None


def test_two_people_of_one_name_and_telephone_are_not_guessed(session, ports, city, tmp_path):
    taken_on(session, ports)
    twin = ELDER | {"id": "E9", "id_number": id_number("321202", "19460305", 4)}
    twin |= {"born_on": "1946-03-05"}
    plan = run.preview(session, ports, SYSTEM, write(tmp_path, FOLDER | {"elders": [ELDER, twin]}))
    assert [(r.line, r.code) for r in plan.refused if r.file == "elders.csv"] == [
        (3, "caller_unclear")
    ]
