"""Follow one order from placing to settlement through the HTTP API, then repeat every request.

    python -m tests.journeys.one_order [--database URL]

Builds a small city in a database of its own (a throw-away SQLite file, or an empty one that is named),
serves it on a free port and speaks to it over HTTP as each role does. The server's clock is moved
along, since a month must end before it is settled. Prints each state and ledger entry; at the end
every write is sent again with its key, and the answers and the whole database must be the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select
from werkzeug.serving import make_server

from dispatch import chain
from dispatch.engine import warm
from marketplace.app import create_app, db
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock, instant_of
from marketplace.kernel.db import Base
from tests.api.conftest import ACCOUNTS, PASSWORD, populate
from tests.builders import DISTRICT
from tests.databases import MONDAY_MORNING, SECRETS

TUESDAY = date(2026, 11, 24)
PATIENCE_S = 600
"""For one answer: a loaded machine is no fault, whoever waits for the whole journey sets the limit."""
UNTOLD = {"account", "account_role"}
"""Tables that signing in changes; no step of an order does."""


class Refused(Exception):
    """The API answered with an error."""


@dataclass
class Call:
    """A write that was sent, and what came back."""

    who: str
    path: str
    body: dict[str, Any] | None
    key: str
    answer: Any = None


@dataclass
class Api:
    """Speaks HTTP to the server in each role, and remembers every write."""

    base: str
    tokens: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def sign_in(self) -> None:
        for account in ACCOUNTS:
            body = {"username": account.username, "password": PASSWORD}
            self.tokens[account.username] = self._send("POST", "/tokens", body)["token"]

    def get(self, who: str, path: str) -> Any:
        return self._send("GET", path, None, who=who)

    def post(self, who: str, path: str, body: dict[str, Any] | None = None) -> Any:
        call = Call(who, path, body, key=f"journey-{len(self.calls) + 1:03d}")
        call.answer = self.send(call)
        self.calls.append(call)
        return call.answer

    def send(self, call: Call) -> Any:
        return self._send("POST", call.path, call.body, who=call.who, key=call.key)

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        who: str | None = None,
        key: str | None = None,
    ) -> Any:
        headers = {"Accept-Language": "en"}
        if who is not None:
            headers["Authentication-Token"] = self.tokens[who]
        if key is not None:
            headers["Idempotency-Key"] = key
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.base}/api/v1{path}", data=content, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read().decode()}") from error


@contextmanager
def served(url: str, folder: Path, clock: FrozenClock) -> Iterator[tuple[Api, Any]]:
    """Serve a fresh small city over HTTP; yield who speaks to it, and the application."""
    # Compiling takes minutes of its own on a loaded machine; no request is to wait for it.
    warm.warm_up()
    chain.warm_up()
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    settings = Settings(
        database_url=url, instance=folder, log_level="WARNING", second_factor=False, **SECRETS
    )
    app = create_app(settings, clock=clock)
    populate(app)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api = Api(f"http://127.0.0.1:{server.server_port}")
    try:
        api.sign_in()
        yield api, app
    finally:
        server.shutdown()
        thread.join(timeout=10)
        with app.app_context():
            db.engine.dispose()


def digest(app: Any) -> dict[str, str]:
    """Return a hash of every table's rows."""
    found = {}
    with app.app_context(), db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name in UNTOLD:
                continue
            rows = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
            found[table.name] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def show(api: Api, work_order_id: str, what: str) -> None:
    """Print the work order's state and those of its ledger entries that are new."""
    detail = api.get("auditor", f"/work-orders/{work_order_id}")
    print(f"{what:<34} -> {detail['work_order']['state']}")
    for entry in api.get("auditor", f"/work-orders/{work_order_id}/ledger")["entries"]:
        if entry["id"] not in _told:
            _told.add(entry["id"])
            print(
                f"    {entry['kind']:<8} {entry['amount']:>6} {entry['unit']:<7} "
                f"{entry['debit_account']} -> {entry['credit_account']}"
            )


_told: set[str] = set()


def journey(api: Api, clock: FrozenClock) -> str:
    """Take one order through its life; return the work order's id."""
    order = {
        "elder_id": "E1",
        "service_code": "ZJ001",
        "starts_on": TUESDAY.isoformat(),
        "window_start_s": 9 * 3600,
        "window_end_s": 10 * 3600,
        "vendor_id": "V1",
    }
    price = api.post("elder", "/orders/preview", order)
    print(f"preview: {price['price_fen']} fen, own {price['own_fen']}")
    api.calls.clear()
    placed = api.post("elder", "/orders", order)
    work_order_id: str = placed["work_orders"][0]["work_order_id"]
    show(api, work_order_id, "elder places")
    [offer] = api.get("vendor", "/offers")["items"]
    api.post("vendor", f"/offers/{offer['id']}/accept")
    show(api, work_order_id, "vendor accepts")
    planned = api.post("city", f"/days/{TUESDAY}/plan", {"seconds": 2, "workers": 1})
    print(f"plan: {planned['assigned']} assigned, {planned['violations']} violations")
    detail = api.get("vendor", f"/work-orders/{work_order_id}")["work_order"]
    caregiver = detail["going"][0]["caregiver_id"]
    show(api, work_order_id, f"the day is planned: {caregiver} goes")
    if caregiver != "C1":
        body = {"caregiver_ids": ["C1"], "start_s": 9 * 3600}
        api.post("vendor", f"/work-orders/{work_order_id}/assignment", body)
        show(api, work_order_id, "vendor sends C1 instead")
    clock.at = instant_of(TUESDAY, 9 * 3600)
    code = api.get("elder", "/elders/E1/home-code")["code"]
    body = {"visit_id": "journey-visit", "shown": _shown("in", clock, code)}
    api.post("caregiver", f"/work-orders/{work_order_id}/check-in", body)
    show(api, work_order_id, "caregiver checks in by the code")
    clock.advance(minutes=60)
    code = api.get("elder", "/elders/E1/home-code")["code"]
    api.post("caregiver", "/visits/journey-visit/check-out", {"shown": _shown("out", clock, code)})
    show(api, work_order_id, "caregiver checks out")
    api.post("elder", f"/work-orders/{work_order_id}/confirm", {"method": "tap"})
    show(api, work_order_id, "elder confirms")
    _settle(api, clock, work_order_id)
    return work_order_id


def _shown(tail: str, clock: FrozenClock, code: str) -> dict[str, Any]:
    return {
        "evidence_id": f"journey-{tail}",
        "method": "home_code",
        "code": code,
        "at_device": clock.now().isoformat(),
    }


def _settle(api: Api, clock: FrozenClock, work_order_id: str) -> None:
    clock.at = instant_of(date(2026, 12, 1), 9 * 3600)
    closed = api.post("bureau", "/periods/2026-11/close", {"district_code": DISTRICT})["closed"]
    print(f"month closed: {closed[0]['statements']} statement, {closed[0]['total_fen']} fen")
    show(api, work_order_id, "civil affairs closes November")
    [statement] = api.get("vendor", "/statements")["items"]
    path = f"/statements/{statement['statement_id']}/signatures"
    for who, step in (
        ("vendor", "vendor_confirmed"),
        ("street", "street_checked"),
        ("bureau", "county_approved"),
        ("second", "released"),
    ):
        if step == "county_approved":
            _look_at_sample(api, statement["statement_id"])
        elif step == "released":
            clock.advance(**_days(3))
        signed = api.post(who, path, {"step": step})
        print(f"{who:<10} signs {step:<18} paid {signed['paid_fen']} fen")
        clock.advance(**_days(1))
    show(api, work_order_id, "statement is paid")


def _look_at_sample(api: Api, statement_id: str) -> None:
    """The county looks at every visit that was drawn."""
    path = f"/statements/{statement_id}/sample"
    for drawn in api.get("bureau", path)["items"]:
        found = {"number": drawn["number"], "way": drawn["way"], "outcome": "confirmed"}
        api.post("bureau", path, found)
        print(f"bureau     checks line {drawn['number']} by {drawn['way']}")


def _days(count: int) -> dict[str, float]:
    return {"seconds": timedelta(days=count).total_seconds()}


def repeat(api: Api, app: Any) -> int:
    """Send every write again; return how many answers or tables differ."""
    before = digest(app)
    wrong = 0
    for call in api.calls:
        again = api.send(call)
        same = again == call.answer
        wrong += not same
        print(f"again {call.who:<10} POST {call.path:<70} {'same answer' if same else 'DIFFERS'}")
    after = digest(app)
    changed = sorted(name for name in before if before[name] != after[name])
    print(f"{len(api.calls)} writes repeated; tables changed: {', '.join(changed) or 'none'}")
    return wrong + len(changed)


def main(arguments: list[str] | None = None) -> int:
    """Run the journey; 0 when all went well and repeating changed nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--database", help="URL of an empty database; else a throw-away SQLite file"
    )
    given = parser.parse_args(arguments)
    clock = FrozenClock(MONDAY_MORNING)
    _told.clear()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = given.database or f"sqlite:///{folder / 'journey.sqlite3'}"
        with served(url, folder, clock) as (api, app):
            work_order_id = journey(api, clock)
            history = api.get("auditor", f"/work-orders/{work_order_id}")["history"]
            print(" -> ".join(move["to_state"] for move in history))
            settled = history[-1]["to_state"] == "settled"
            return 0 if repeat(api, app) == 0 and settled else 1


if __name__ == "__main__":
    sys.exit(main())
