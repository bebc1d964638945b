"""Live screens: what one desk does is told to the others, which then ask for their parts again.

A message carries no facts, only that something changed: loss is harmless, and nobody hears of what
they may not see; a ring goes to the one operator whose telephone it is. A stream ends by itself after
a minute, so that it never holds a thread for long; the browser opens the next one. It ends at once
when the feed is closed, so that a server with open pages stops like any other.

A stream holds a thread, so their number is bounded (``marketplace.web.seats``). Whoever has to go is
told to come back later: with more pages open than places, each asks again every quarter of a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from apiflask import APIBlueprint, APIFlask
from flask import Response, current_app, request

from marketplace.accounts.models import STAFF
from marketplace.kernel.ports import DESKS, LiveFeed
from marketplace.web.at_hand import ports
from marketplace.web.auth import allow, current_actor
from marketplace.web.seats import Seat, Seats

bp = APIBlueprint("live", __name__, enable_openapi=False)

STREAM_S = 55.0
AGAIN_MS = 15_000
"""How long a page waits that gave its place to a newer one."""

_QUIET = frozenset(
    {"session.look", "security.login", "security.logout", "ordering.check", "api_rings.ring"}
)


@bp.get("/live")
@allow(*STAFF)
def stream() -> Response:
    """Send an event whenever something changed, a comment every 15 seconds else."""
    feed: LiveFeed = ports().live
    seats: Seats = current_app.extensions["live_seats"]
    account_id = current_actor().user_id
    # The account was read to open the door; a stream must not keep a database connection.
    current_app.extensions["sqlalchemy"].session.remove()
    seat, displaced = seats.take(account_id)
    for other in displaced:
        feed.publish(ring_topic(other.account_id), {"leave": other.id})
    response = Response(
        _events(feed, seats, seat),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    response.call_on_close(lambda: seats.leave(seat))
    return response


def ring_topic(account_id: str) -> str:
    """Return the topic on which one operator's telephone rings."""
    return f"ring/{account_id}"


def _events(feed: LiveFeed, seats: Seats, seat: Seat) -> Iterator[str]:
    until = time.monotonic() + STREAM_S
    with feed.subscribe(DESKS, ring_topic(seat.account_id)) as heard:
        yield "retry: 1000\n\n"
        while time.monotonic() < until and not heard.is_over:
            if not seats.holds(seat):
                yield f"retry: {AGAIN_MS}\n\n"
                return
            message = heard.get(min(15.0, max(0.1, until - time.monotonic())))
            if message is None:
                yield ": quiet\n\n"
            elif "leave" in message:
                # It only wakes: who has to go is known by the place that is gone.
                continue
            elif "ring" in message:
                # Only the operator whose telephone rings hears the number.
                yield f"event: ring\ndata: {json.dumps(message['ring'])}\n\n"
            else:
                yield "event: changed\ndata: 1\n\n"


def register(app: APIFlask) -> None:
    """Count the open streams, and tell the desks after each request that wrote something."""
    app.extensions["live_seats"] = Seats()

    @app.after_request
    def _tell(response: Response) -> Response:
        wrote = request.method not in {"GET", "HEAD", "OPTIONS"} and response.status_code < 400
        if wrote and request.endpoint not in _QUIET:
            feed: LiveFeed = ports().live
            feed.publish(DESKS, {"changed": True})
        return response
