"""Live streams hold threads: one account, and all together, only so many of them."""

from __future__ import annotations

import pytest

from marketplace.kernel.ports import DESKS
from marketplace.web.seats import OF_ALL, OF_ONE, Seats

RETRY, LATER, CHANGED = b"retry: 1000\n\n", b"retry: 15000\n\n", b"event: changed\ndata: 1\n\n"


@pytest.fixture
def streams(browser):
    """Open streams of whoever is signed in, closed at the end."""
    answers = []

    def opened():
        answer = browser.get("/live", buffered=False)
        assert answer.status_code == 200
        answers.append(answer)
        heard = answer.iter_encoded()
        assert next(heard) == RETRY
        return heard

    yield opened
    for answer in answers:
        answer.close()


def test_the_oldest_stream_of_an_account_gives_its_thread_to_the_newest(app, browser, streams):
    browser.sign_in("hotline")
    heard = [streams() for _ in range(OF_ONE)]
    newest = streams()
    # The oldest ends by itself and tells its page to come back later; the others go on.
    assert list(heard[0]) == [LATER]
    app.extensions["ports"].live.publish(DESKS, {"changed": True})
    assert [next(h) for h in (*heard[1:], newest)] == [CHANGED] * OF_ONE


def test_a_stream_that_lost_its_place_before_it_began_ends_at_once(browser):
    browser.sign_in("hotline")
    first = browser.get("/live", buffered=False)
    others = [browser.get("/live", buffered=False) for _ in range(OF_ONE)]
    assert list(first.iter_encoded()) == [RETRY, LATER]
    for answer in (first, *others):
        answer.close()


def test_a_page_that_was_left_gives_its_place_back(app, browser, streams):
    browser.sign_in("hotline")
    for _ in range(3 * OF_ONE):
        browser.get("/live", buffered=False).close()
    heard = [streams() for _ in range(OF_ONE)]
    app.extensions["ports"].live.publish(DESKS, {"changed": True})
    assert [next(h) for h in heard] == [CHANGED] * OF_ONE


def test_many_accounts_together_leave_threads_for_everybodys_requests():
    seats = Seats()
    taken = [seats.take(f"u-{n}") for n in range(OF_ALL)]
    assert [gone for _, gone in taken] == [[]] * OF_ALL
    newest, gone = seats.take("u-late")
    assert gone == [taken[0][0]]
    assert not seats.holds(taken[0][0])
    assert seats.holds(taken[1][0])
    seats.leave(taken[1][0])
    assert seats.take("u-later")[1] == []
    assert seats.holds(newest)


def test_who_has_too_many_gives_up_an_own_one_and_nobody_elses():
    seats = Seats(of_one=2, of_all=3)
    other, _ = seats.take("u-other")
    mine = [seats.take("u-mine")[0] for _ in range(2)]
    assert seats.take("u-mine")[1] == [mine[0]]
    assert seats.holds(other)
