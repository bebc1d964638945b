"""What a vendor reads of money that is held: the rule that spoke, whoever of the crew it spoke of."""

from __future__ import annotations

from marketplace.queries.vendor_money import held_visits
from tests import builders


def test_of_two_who_came_the_one_is_named_whom_a_rule_speaks_of(session):
    builders.an_elder(session)
    builders.a_vendor(session)
    for caregiver_id, name in (("C1", "汤兰云"), ("C2", "刘彩")):
        builders.a_caregiver(session, caregiver_id, name=name)
    bath = builders.a_work_order(session, crew=2, vendor_id="V1", state="disputed")
    found = [{"rule": "F06", "action": "hold", "facts": {}}]
    builders.a_visit(session, "X1", bath, "C1", findings=[])
    builders.a_visit(session, "X2", bath, "C2", findings=found, verdict="held")
    session.commit()
    [held] = held_visits(session, "V1")
    assert (held.rules, held.caregiver, held.visit_id) == (("F06",), "刘彩", "X2")
