"""What a caregiver tells of a visit: a mistake that another decides, a photo of the work."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.elders.models import FollowUp
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound, WrongState
from marketplace.queries.caregiver_hours import hours
from marketplace.visits.corrections import CorrectionWaits
from marketplace.visits.models import Correction, Evidence, Visit, VisitPhoto
from marketplace.workflows.cancel import CancelRequest, cancel
from marketplace.workflows.confirm import (
    ConfirmRequest,
    DisputeRequest,
    auto_confirm,
    confirm,
    dispute,
)
from marketplace.workflows.mistake import (
    DecideRequest,
    MistakeRequest,
    decide_correction,
    report_mistake,
)
from marketplace.workflows.photo import PhotoForbidden, PhotoRequest, add_photo, open_photo
from tests.workflows import world
from tests.workflows.test_visits import assigned, enter, served, shown
from tests.workflows.world import C1, ELDER, STREET, TUESDAY, V1, key, state_of

PICTURE = base64.b64encode(b"\xff\xd8\xff" + b"work" * 50).decode()


def told(**changed) -> MistakeRequest:
    values = {
        "correction_id": "correct-1",
        "visit_id": "X1",
        "says_in_at": world.local(TUESDAY, 9),
        "says_out_at": world.local(TUESDAY, 9.75),
        "reason": "忘了签退",
    }
    return MistakeRequest(**{**values, **changed})


def decide(session, ports, actor=STREET, *, approve=True):
    request = DecideRequest(correction_id="correct-1", approve=approve, note="问过老人")
    return decide_correction(session, ports, actor, key=key(), request=request)


def test_a_mistake_changes_nothing_until_another_person_approves_it(city, ports, clock):
    served(city, ports, clock)
    before = city.scalars(select(Visit)).one()
    was = (before.check_in_at, before.check_out_at)
    report_mistake(city, ports, C1, key="k", request=told())
    report_mistake(city, ports, C1, key="k", request=told())
    city.expire_all()
    visit = city.scalars(select(Visit)).one()
    assert (visit.check_in_at, visit.check_out_at) == was
    assert decide(city, ports).state == "approved"
    city.expire_all()
    visit, kept = city.scalars(select(Visit)).one(), city.scalars(select(Correction)).one()
    assert visit.check_out_at == world.local(TUESDAY, 9.75)
    assert (kept.was_in_at, kept.was_out_at) == was
    proofs = city.scalars(select(Evidence).where(Evidence.kind == "check_out")).all()
    assert [p.at_device for p in proofs] == [was[1]]


def test_a_forgotten_check_out_is_closed_by_an_approved_correction(city, ports, clock):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id)
    clock.at = world.local(TUESDAY, 20)
    report_mistake(city, ports, C1, key=key(), request=told(says_out_at=world.local(TUESDAY, 10)))
    answer = decide(city, ports)
    assert (answer.state, answer.work_order_state, answer.verdict) == (
        "approved",
        "done",
        "verified",
    )


def test_a_correction_that_the_rules_doubt_is_not_confirmed_by_silence(city, ports, clock):
    work_order_id = served(city, ports, clock)
    told_short = told(says_out_at=world.local(TUESDAY, 9.2))
    report_mistake(city, ports, C1, key=key(), request=told_short)
    answer = decide(city, ports)
    assert (answer.work_order_state, answer.verdict) == ("disputed", "blocked")
    clock.advance(hours=49)
    auto_confirm(city, ports)
    assert state_of(city, work_order_id) == "disputed"


def test_a_refused_correction_leaves_the_visit_as_it_was(city, ports, clock):
    served(city, ports, clock)
    report_mistake(city, ports, C1, key=key(), request=told())
    assert decide(city, ports, approve=False).state == "refused"
    assert city.scalars(select(Visit)).one().check_out_at == world.local(TUESDAY, 10)
    with pytest.raises(WrongState):
        decide(city, ports)


def test_money_that_was_taken_is_not_corrected_here(city, ports, clock):
    work_order_id = served(city, ports, clock)
    report_mistake(city, ports, C1, key=key(), request=told())
    confirm(city, ports, ELDER, key=key(), request=ConfirmRequest(work_order_id, "tap"))
    with pytest.raises(BadInput):
        decide(city, ports)
    assert state_of(city, work_order_id) == "confirmed"


def test_nobody_corrects_anothers_visit_and_the_vendor_never_decides(city, ports, clock):
    served(city, ports, clock)
    with pytest.raises(NotFound):
        report_mistake(city, ports, world.C3, key=key(), request=told())
    report_mistake(city, ports, C1, key=key(), request=told())
    with pytest.raises(CorrectionWaits):
        report_mistake(city, ports, C1, key=key(), request=told(correction_id="correct-2"))
    for actor in (V1, C1):
        with pytest.raises(NotAllowed):
            decide(city, ports, actor=actor)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("says_out_at", {"says_out_at": world.local(TUESDAY, 8)}),
        ("says_out_at", {"says_out_at": world.local(TUESDAY, 23)}),
        ("says_in_at", {"says_in_at": world.local(TUESDAY, -30)}),
        ("reason", {"reason": " "}),
    ],
)
def test_times_that_cannot_be_are_named(city, ports, clock, field, changed):
    served(city, ports, clock)
    with pytest.raises(BadInput) as refused:
        report_mistake(city, ports, C1, key=key(), request=told(**changed))
    assert refused.value.field == field


def pictured(work_order_id: str, clock, jpeg: str = PICTURE) -> PhotoRequest:
    return PhotoRequest(
        work_order_id=work_order_id,
        visit_id="X1",
        shown=shown(clock, "photo", phash="00ff00ff00ff00ff"),
        jpeg=jpeg,
    )


def test_a_photo_is_kept_once_sealed_and_shown_to_who_may_see_evidence(city, ports, clock):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id)
    request = pictured(work_order_id, clock)
    kept = add_photo(city, ports, C1, key=key(), request=request)
    assert add_photo(city, ports, C1, key=key(), request=request) == kept
    rows = city.scalars(select(VisitPhoto)).all()
    assert len(rows) == 1
    assert b"work" not in rows[0].sealed
    assert open_photo(city, ports, ELDER, kept.evidence_id) == base64.b64decode(PICTURE)
    with pytest.raises(NotFound):
        open_photo(city, ports, world.V2, kept.evidence_id)


def test_nobody_is_photographed_in_the_bath_or_while_cared_for(city, ports, clock):
    for service in ("ZY007", "HL001"):
        work_order_id = assigned(city, ports, service=service)
        with pytest.raises(PhotoForbidden):
            add_photo(city, ports, C1, key=key(), request=pictured(work_order_id, clock))
        cancel(city, ports, ELDER, key=key(), request=CancelRequest(work_order_id))
    assert city.scalar(select(func.count()).select_from(VisitPhoto)) == 0


@pytest.mark.parametrize("jpeg", ["", "no base64", base64.b64encode(b"GIF89a").decode()])
def test_what_is_no_picture_is_refused(city, ports, clock, jpeg):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id)
    with pytest.raises(BadInput) as refused:
        add_photo(city, ports, C1, key=key(), request=pictured(work_order_id, clock, jpeg))
    assert refused.value.field == "photo"


def test_hours_say_what_counts_and_what_is_held_and_why(city, ports, clock):
    work_order_id = served(city, ports, clock)
    week = hours(city, "C1", since=TUESDAY - timedelta(days=1), until=TUESDAY)
    assert (week.minutes("counts"), week.minutes("held")) == (60, 0)
    dispute(
        city,
        ports,
        ELDER,
        key=key(),
        request=DisputeRequest(work_order_id, "nobody", nobody_came=True),
    )
    city.expire_all()
    week = hours(city, "C1", since=TUESDAY, until=TUESDAY)
    assert (week.minutes("counts"), week.minutes("held")) == (0, 60)
    assert week.lines[0].rules == ("F22",)
    assert hours(city, "C2", since=TUESDAY, until=TUESDAY).lines == ()
    assert city.scalar(select(func.count()).select_from(FollowUp)) == 0
