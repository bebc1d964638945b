"""What several usual orders would cost, asked at once: as if each were asked alone, in few statements."""

from datetime import timedelta

import pytest

from marketplace.elders.models import Elder
from marketplace.kernel.errors import NotAllowed, NotFound
from marketplace.workflows.preview import preview_first, preview_order
from tests import builders
from tests.counting import Statements
from tests.workflows.world import COMMUNITY, HOTLINE, TUESDAY, V1, request

WEDNESDAY = TUESDAY + timedelta(days=1)
SERVICES = ("ZJ001", "ZY007", "HL001")


@pytest.fixture
def granted(city):
    """Everybody of the city poor and old, the month's grants written."""
    for elder in city.query(Elder):
        elder.income_class = "dibao"
    city.flush()
    builders.granted(city)
    city.commit()
    return city


def ask(session, ports, *choices, actor=HOTLINE):
    return preview_first(session, ports, actor, elder_id="E1", choices=choices)


def test_each_order_is_shown_as_if_none_of_the_others_were_ordered(granted, ports):
    wanted = [
        request(service_code=code, vendor_id="V1", caregiver_id="C1", quantity=n)
        for n, code in enumerate(SERVICES, start=1)
    ]
    together = ask(granted, ports, *([w] for w in wanted))
    assert together == [preview_order(granted, ports, HOTLINE, request=w) for w in wanted]
    # Vouchers pay a part of more than one: the first did not use up what the second is shown.
    assert sum(p.own_fen < p.price_fen for p in together) >= 2


def test_the_first_day_that_the_rules_allow_is_taken_and_none_where_they_allow_none(city, ports):
    today = request(starts_on=TUESDAY - timedelta(days=1), window_start_s=0, window_end_s=3_600)
    unknown = request(vendor_id="V9")
    shown = ask(city, ports, [today, request()], [unknown], [request(starts_on=WEDNESDAY)])
    assert [p and p.on for p in shown] == [TUESDAY, None, WEDNESDAY]


def test_what_orders_of_one_elder_share_is_read_once(granted, ports):
    def statements(*codes):
        wanted = [request(service_code=c, vendor_id="V1", caregiver_id="C1") for c in codes]
        with Statements(granted.get_bind()) as counted:
            assert None not in ask(granted, ports, *([w] for w in wanted))
        return counted.sent

    # The first question of a session may cost a statement more.
    statements(SERVICES[0])
    one, three = statements(SERVICES[0]), statements(*SERVICES)
    # A further order reads its own service and nothing else.
    assert len(three) - len(one) == 2, [s for s in three if s not in one]


@pytest.mark.parametrize(("actor", "refusal"), [(V1, NotAllowed), (COMMUNITY, NotFound)])
def test_who_may_not_order_for_an_elder_sees_no_prices(city, ports, actor, refusal):
    city.get_one(Elder, "E1").town_code = "321204101"
    city.commit()
    with pytest.raises(refusal):
        ask(city, ports, [request()], actor=actor)
