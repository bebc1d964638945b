"""Civil affairs' desk: grants by two persons, cases, settlement, who is left behind, any fen."""

from __future__ import annotations

import html
from datetime import date

import pytest
from sqlalchemy import select

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.accounts.models import Account
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import db
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.clock import Period, today
from marketplace.kernel.db import transaction
from marketplace.vouchers import programmes
from marketplace.vouchers.models import GrantRun
from marketplace.vouchers.problems import PROBLEMS
from marketplace.vouchers.terms import WORDS_OF
from marketplace.web.sheets import sheet
from marketplace.web.words.programmes import FILE_PROBLEMS, FILE_TABLES
from tests import builders, small_city
from tests.counting import Statements
from tests.databases import filled
from tests.web.conftest import one_for_each_role

PAGES = ("/grants", "/programmes", "/cases", "/settlement", "/fairness")


@filled
def town_of_two_officials(app) -> tuple[dict[str, str], small_city.SmallCity]:
    """The accounts, a second person of the bureau, and the town."""
    ports = app.extensions["ports"]
    ids = one_for_each_role()
    made = small_city.build(db.session, ports, day=today(ports.clock), work_orders=80)
    with transaction(db.session):
        create_accounts(
            db.session,
            [NewAccount(username="second", display_name="周敏", role=Role.BUREAU)],
            password=DEMO_PASSWORD,
        )
    return ids, made


@pytest.fixture
def accounts(town_of_two_officials) -> dict[str, str]:
    return town_of_two_officials[0]


@pytest.fixture
def city(town_of_two_officials) -> small_city.SmallCity:
    return town_of_two_officials[1]


@pytest.fixture
def bureau(browser, city):
    browser.sign_in("bureau")
    return browser


def test_every_page_opens_in_few_statements(app, bureau):
    for path in PAGES:
        with app.app_context(), Statements(db.engine) as counted:
            answer = bureau.get(path)
        assert answer.status_code == 200, path
        assert counted.count <= 30, (path, counted.count)


def test_one_person_previews_and_only_another_releases(bureau):
    page = bureau.post(
        "/grants/preview", {"district": "321202", "month": "2026-11"}, page="/grants"
    )
    assert "还没有发放" in page.text
    assert "发放海陵区" not in page.text
    bureau.post("/sign-out", {}, page="/no-such-page")
    bureau.sign_in("second")
    page = bureau.get("/grants?month=2026-11").text
    run = page.split('name="run" value="')[1].split('"')[0]
    answer = bureau.post("/grants/release", {"run": run, "month": "2026-11"}, page="/grants")
    assert answer.status_code == 302
    assert "已发放" in bureau.get("/grants?month=2026-11").text


def test_who_previewed_cannot_release_even_by_the_address(bureau):
    bureau.post("/grants/preview", {"district": "321202", "month": "2026-11"}, page="/grants")
    with bureau.client.application.app_context():
        run = db.session.scalars(select(GrantRun.id)).one()
    answer = bureau.post("/grants/release", {"run": run, "month": "2026-11"}, page="/grants")
    assert answer.status_code == 302
    assert "已预览" in bureau.get("/grants?month=2026-11").text


def test_a_case_shows_each_rule_with_both_sources(bureau):
    page = bureau.get("/cases/E000000").text
    assert "事实：老人台账" in page
    assert "依据：假定，待核实" in page
    assert "的待遇" in page


def test_a_case_says_how_much_and_is_asked_of_any_day(app, bureau):
    with app.app_context():
        elder = db.session.get_one(Elder, "E000000")
        elder.born_on, elder.income_class = date(1947, 1, 10), "ordinary"
        elder.hukou_local, elder.special, elder.lives_alone = True, "", False
        db.session.commit()
    assert "2 小时/月</span>" not in bureau.get("/cases/E000000").text
    assert "2 小时/月</span>" in bureau.get("/cases/E000000?on=2027-01-10").text
    assert bureau.get("/cases/E000000?on=x").status_code == 422


def test_a_street_office_sees_the_cases_of_its_town_only(app, browser, city):
    with app.app_context():
        street = db.session.query(Account).filter_by(username="street").one()
        street.town_code, street.district_code = "321202001", "321202"
        db.session.commit()
    browser.sign_in("street")
    assert browser.get("/cases/E000000").status_code == 200
    assert browser.get("/cases/E000001").status_code == 404


def test_a_street_office_finds_the_elders_of_its_town_only(app, browser, city):
    with app.app_context():
        street = db.session.query(Account).filter_by(username="street").one()
        street.town_code, street.district_code = "321202001", "321202"
        neighbour = db.session.get(Elder, "E000001")
        neighbour.town_code, neighbour.district_code = "321202002", "321202"
        db.session.commit()
    browser.sign_in("street")
    assert "/cases/E000000" in browser.get("/cases?q=e000000").text
    assert "/cases/E000001" not in browser.get("/cases?q=e000001").text


def test_a_board_shows_no_vendor_of_another_area(app, browser, city):
    address = f"/board?vendor={city.vendor_id}&day={city.day.isoformat()}"
    browser.sign_in("bureau")
    assert "data-caregiver=" in browser.get(address).text
    browser.post("/sign-out", {}, page="/no-such-page")
    with app.app_context():
        street = db.session.query(Account).filter_by(username="street").one()
        street.town_code, street.district_code = "320101001", "320101"
        db.session.commit()
    browser.sign_in("street")
    page = browser.get(address)
    assert page.status_code == 200
    assert "data-caregiver=" not in page.text


def test_a_file_has_empty_cells_and_no_formulas(app):
    with app.app_context():
        text = sheet("t", ["a", "b", "c", "d"], [(None, "=1+1", -5, "\tx")]).get_data(as_text=True)
    assert text.splitlines()[1] == ",'=1+1,-5,'\tx"


def test_tables_leave_as_files_without_a_person_in_them(bureau):
    for kind in ("league", "circle", "never"):
        answer = bureau.get(f"/fairness?format={kind}")
        assert answer.mimetype == "text/csv"
        assert "E0000" not in answer.text
        assert len(answer.text.splitlines()) > 0
    assert bureau.get("/fairness?format=all").status_code == 422


def test_any_fen_is_picked_by_lot_and_walks_back(app, browser, accounts, city):
    browser.sign_in("auditor")
    assert browser.get("/money/pick").headers["Location"].endswith("/money")


@pytest.mark.parametrize("role", ["elder", "family", "vendor", "caregiver", "hotline"])
def test_the_desk_is_closed_to_others(browser, role):
    browser.sign_in(role)
    for path in PAGES:
        assert browser.get(path).status_code == 403, path


def test_a_programme_that_cannot_be_read_is_refused_with_its_reason(bureau):
    answer = bureau.post("/programmes", {"act": "try", "text": "code = 1"}, page="/programmes")
    assert answer.status_code == 200
    assert "code = 1" in answer.text
    assert "缺少 name_zh：请补上" in answer.text.split('role="alert"', 1)[1]


def test_a_grant_of_the_small_city_counts_as_never_served(app, bureau):
    with app.app_context():
        builders.granted(db.session, Period(2026, 11), "321202")
        db.session.commit()
    rows = bureau.get("/fairness?format=never&month=2026-11").text.splitlines()
    assert rows[1].startswith("321202,")


def next_version(page: str, **values: str) -> str:
    """The programme's file as the page shows it, and the same version from January with changes."""
    text = html.unescape(page.split('name="text"', 1)[1].split(">", 1)[1].split("</textarea>")[0])
    version = text[text.index("[[version]]") :].replace("2026-01-01", "2027-01-01")
    for old, new in values.items():
        version = version.replace(f"amount = {old[1:]}", f"amount = {new}")
    return f"{text}\n{version}"


def test_a_change_begins_with_the_file_and_is_told_in_words(bureau):
    assert "年龄：80 及以上" in bureau.get("/programmes/GP-C").text
    text = next_version(bureau.get("/programmes?change=GP-C").text, _120="180")
    page = bureau.post("/programmes", {"act": "try", "text": text}, page="/programmes").text
    assert "档次 GP-C1" in page
    assert "2 小时" in page
    assert "3 小时" in page
    assert "at_least" not in page.split("textarea")[0]


def test_everybody_who_gains_or_loses_leaves_as_a_file_and_is_recorded(app, bureau):
    text = next_version(bureau.get("/programmes?change=GP-C").text, _120="180")
    answer = bureau.post("/programmes", {"act": "people", "text": text}, page="/programmes")
    assert answer.mimetype == "text/csv"
    rows = answer.data.decode("utf-8-sig").splitlines()
    assert rows[0].startswith("老人,区县,")
    with app.app_context():
        event = db.session.scalars(
            select(AuditEvent).where(AuditEvent.action == "list_trial")
        ).one()
        assert event.facts["people"] == len(rows) - 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("carry_months", "cary_months", "版本里没有 cary_months 这个词：改正或删去"),
        ("2027-01-01", "2027-01-15", "valid_from 要是某月一日"),
        ("[[version]]", "[[version", "行不合 TOML 写法：检查引号、括号和等号"),
        ("amount = 180", 'amount = "x"', "有一个值的类型不对：数字不加引号"),
    ],
)
def test_a_refused_file_says_what_is_wrong_in_it_and_what_mends_it(bureau, old, new, said):
    text = next_version(bureau.get("/programmes?change=GP-C").text, _120="180")
    assert old in text
    wrong = {"act": "try", "text": text.replace(old, new)}
    page = html.unescape(bureau.post("/programmes", wrong, page="/programmes").text)
    assert said in page.split('role="alert"', 1)[1].split("</div>", 1)[0]


def test_every_reason_to_refuse_a_file_has_its_words():
    of_released_files = {"two_files", "content_changed"}
    assert set(FILE_PROBLEMS) == set(PROBLEMS) - of_released_files | {"cut_off"}
    assert set(FILE_TABLES) == set(WORDS_OF)


def test_what_is_only_assumed_is_said_so_in_the_readers_language(bureau):
    codes = programmes.packaged().codes()
    pages = {c: bureau.get(f"/programmes/{c}").text.split("<pre", 1)[0] for c in codes}
    assert sum("出处：假定，待核实" in page for page in pages.values()) > 5
    assert [c for c, page in pages.items() if "assumption" in page] == []
