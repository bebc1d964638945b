"""The synthetic city: honest places, published shares, the same bytes for the same seed."""

import csv
import hashlib
import io
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from dispatch.candidates import eligible
from dispatch.city import City, generate
from dispatch.city.demand import HOURLY, KINDS, SERVICES, SHARES, apportion
from dispatch.city.ground import inside, read_ground, to_metres
from dispatch.io import problem_bytes


@pytest.fixture(scope="module")
def city() -> City:
    return generate(orders=5200, seed=1)


def digest(city: City) -> str:
    return hashlib.sha256(problem_bytes(city.problem())).hexdigest()


def test_one_seed_gives_one_city_to_the_byte_whatever_the_hash_seed() -> None:
    program = (
        "import hashlib; from dispatch.city import generate; from dispatch.io import problem_bytes;"
        "print(hashlib.sha256(problem_bytes(generate(orders=300, seed=7).problem())).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": salt, "PYTHONPATH": "."},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for salt in ("0", "4711")
    }  # fmt: skip
    assert seen == {digest(generate(orders=300, seed=7))}


def test_another_seed_gives_another_city() -> None:
    assert digest(generate(orders=300, seed=1)) != digest(generate(orders=300, seed=2))


@pytest.mark.parametrize("orders", [1, 7, 60, 300, 1000, 2999])
def test_the_number_of_orders_is_kept_at_every_size(orders: int) -> None:
    city = generate(orders=orders, seed=3)
    assert len(city.visits) == orders
    assert len({v.id for v in city.visits}) == orders
    city.problem()


def test_lines_have_their_published_shares(city: City) -> None:
    counted = Counter(v.line for v in city.visits)
    assert [counted[line] for line in SHARES] == [
        1768,
        1144,
        676,
        468,
        364,
        260,
        208,
        104,
        104,
        52,
        52,
    ]


def test_most_meals_are_brought_some_eaten_at_a_site_and_few_cooked_at_home(city: City) -> None:
    meals = [v for v in city.visits if v.line == "ZC"]
    brought = sum(v.ready_s is not None for v in meals) / len(meals)
    at_site = sum(v.mode == "site" for v in meals) / len(meals)
    assert brought == pytest.approx(0.78, abs=0.005)
    assert at_site == pytest.approx(0.15, abs=0.005)


def test_telephone_and_site_services_are_orders_but_no_stops(city: City) -> None:
    tasks = {t.id for t in city.problem().tasks}
    assert tasks == {v.id for v in city.visits if v.mode == "home"}
    assert {v.mode for v in city.visits} == {"home", "site", "remote"}
    assert all(v.site is not None for v in city.visits if v.mode == "site")


def test_the_register_has_its_published_sites_and_vendors(city: City) -> None:
    kinds = Counter(s.kind for s in city.sites)
    assert kinds["centre"] == 882
    assert kinds["meal"] == 420
    assert kinds["bath"] == 60
    assert kinds["day_care"] == 17
    assert Counter(v.size for v in city.vendors) == {"large": 8, "middle": 35, "small": 84}
    assert sum(v.kind == "meals" for v in city.vendors) == 12
    assert sum(v.kind == "medical" for v in city.vendors) == 9
    assert sum(v.kind == "repair" for v in city.vendors) == 14


def test_homes_and_sites_lie_in_the_city(city: City) -> None:
    borders = [ring for rings in read_ground().borders.values() for ring in rings]
    homes = to_metres(np.array([(h.lat, h.lng) for h in city.homes]))
    sites = to_metres(np.array([(s.lat, s.lng) for s in city.sites]))
    # Villages on the border have homes on both sides of a line that is generalised anyway.
    assert inside(homes, borders).mean() > 0.97
    assert inside(sites, borders).mean() > 0.99


def test_nearly_every_stop_has_somebody_and_a_few_honestly_have_nobody(city: City) -> None:
    problem = city.problem()
    remaining = eligible(problem).remaining
    crew = np.array([t.crew for t in problem.tasks])
    covered = (remaining[:, 3] >= crew).mean()
    assert 0.99 <= covered < 1.0
    assert (remaining[:, 0] >= crew).all()


def test_a_delivered_meal_is_fetched_at_its_kitchen_and_kept_an_hour(city: City) -> None:
    problem = city.problem()
    meals = [t for t in problem.tasks if t.load is not None]
    bases = {c.base for c in problem.caregivers if "MEAL" in c.skills}
    assert len(meals) > 800
    assert {t.load.place for t in meals} <= bases
    assert {t.load.hold_s for t in meals} == {3600}
    assert {t.load.ready_s for t in meals if t.windows[0][0] == 38400} == {37800}


def test_home_baths_need_two_and_baths_keep_away_from_meals(city: City) -> None:
    baths = [v for v in city.stops if v.line == "ZY"]
    assert sum(v.crew == 2 for v in baths) / len(baths) > 0.85
    assert all(v.window[0] >= 9.5 * 3600 and v.window[1] <= 16.5 * 3600 for v in baths)


def test_the_usual_caregiver_can_come_and_belongs_to_the_vendor_chosen(city: City) -> None:
    for visit in city.stops:
        if visit.usual is not None:
            person = city.people[visit.usual]
            assert person.vendor == visit.vendor
            assert visit.skill in person.skills
            assert visit.usual not in visit.forbidden


def test_grades_include_the_lower_ones(city: City) -> None:
    for person in city.people:
        if "CARE3" in person.skills:
            assert "CARE4" in person.skills
        if "CARE4" in person.skills:
            assert "CARE5" in person.skills


def test_every_vendor_holds_the_categories_of_its_orders(city: City) -> None:
    categories = {v.id: v.categories for v in city.vendors}
    assert all(v.line in categories[v.vendor] for v in city.stops if v.vendor is not None)


def test_every_vendor_is_registered_in_the_districts_of_its_orders(city: City) -> None:
    districts = {v.id: v.districts for v in city.vendors}
    for visit in city.visits:
        if visit.vendor is not None and visit.mode == "home":
            assert city.homes[visit.home].community[:6] in districts[visit.vendor]


def test_fair_shares_add_up_to_one(city: City) -> None:
    assert sum(city.vendor_share().values()) == pytest.approx(1, abs=1e-4)


def test_the_plain_day_has_no_crews_loads_or_rests() -> None:
    rich, plain = generate(orders=600, seed=1), generate(orders=600, seed=1, plain=True)
    problem = plain.problem()
    assert len(problem.tasks) == len(rich.problem().tasks)
    assert all(t.crew == 1 and t.load is None for t in problem.tasks)
    assert all(c.rest is None and c.capacity is None for c in problem.caregivers)


def test_beyond_twenty_thousand_orders_cities_stand_side_by_side() -> None:
    city = generate(orders=20_500, seed=1)
    assert len(city.visits) == 20_500
    assert len({v.id for v in city.visits}) == 20_500
    east = [v for v in city.stops if v.id.startswith("2-")]
    assert min(city.homes[v.home].lng for v in east) > 121
    assert all(city.people[v.usual].vendor == v.vendor for v in east if v.usual is not None)


@pytest.mark.parametrize(("orders", "seed"), [(0, 1), (1_000_001, 1), (10, -1)])
def test_a_size_or_seed_out_of_range_is_refused(orders: int, seed: int) -> None:
    with pytest.raises(ValueError, match="give"):
        generate(orders=orders, seed=seed)


def test_parts_of_a_whole_add_up() -> None:
    assert apportion(10, [1, 1, 1]) == [4, 3, 3]
    assert sum(apportion(5200, list(SHARES.values()))) == 5200


def test_services_of_the_day_are_those_of_the_catalogue() -> None:
    from importlib import resources

    text = (resources.files("marketplace") / "catalogue/data/services.csv").read_text("utf-8-sig")
    sold = {row["code"]: row for row in csv.DictReader(io.StringIO(text))}
    for kind in KINDS:
        for code in kind.services:
            row = sold[code]
            assert row["mode"] == kind.mode, code
            assert row["category_code"] == kind.line or code[:2] == kind.line
    assert {sold[code]["unit"] for code in HOURLY} == {"小时"}
    for code, service in SERVICES.items():
        assert int(sold[code]["duration_min"]) == service.minutes, code
        assert sold[code]["skill_code"] == service.skill, code
        assert int(sold[code]["caregivers"]) == service.crew, code


def test_towns_without_a_published_point_are_marked_as_placed() -> None:
    ground = read_ground()
    assert (len(ground.districts), len(ground.towns), len(ground.communities)) == (6, 109, 1745)
    assert sum(t.known for t in ground.towns) == 64
    assert not any(c.known for c in ground.communities)
    for community in ground.communities:
        spot = to_metres(np.array([(community.lat, community.lng)]))
        assert inside(spot, ground.borders[community.code[:6]])[0], community.code
