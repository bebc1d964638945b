"""How quick and how heavy each desk's page is, with a city's day behind it.

    python -m tests.bench.pages [--orders 5200] [--elders 12000] [--folder DIR] [--rounds 3] [--csv OUT]

Makes the demonstration's city (kept in ``--folder``, so that a second run measures at once), serves it
from this process and opens each desk in Debian's Chromium: the median milliseconds to the first
contentful paint, kilobytes on the wire with an empty cache (map data apart), SQL statements of the
page, and, on the map, milliseconds until all points are drawn. Exit 1 where a page is over a limit.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import g, request
from sqlalchemy import event, func, select
from werkzeug.serving import make_server

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.app import db
from marketplace.orders.models import Assignment, WorkOrder
from tests.journeys import planned
from tests.journeys.conftest import FLAGS

PAINT_MS, WIRE_KB, STATEMENTS, MAP_MS = 1_000, 300, 60, 1_500

WATCH = """
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) if (e.name === 'first-contentful-paint') window.painted = e.startTime;
}).observe({ type: 'paint', buffered: true });
new MutationObserver(() => {
  const map = document.querySelector('#citymap[data-drawn]');
  if (map && !window.drawn) window.drawn = performance.now();
}).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-drawn'] });
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One page: medians of the rounds; ``map_ms`` is None where there is no map."""

    desk: str
    path: str
    paint_ms: float
    wire_kb: float
    statements: int
    map_ms: float | None

    @property
    def over(self) -> bool:
        """Return whether the page is over one of the limits."""
        return (
            self.paint_ms > PAINT_MS
            or self.wire_kb > WIRE_KB
            or self.statements > STATEMENTS
            or (self.map_ms or 0) > MAP_MS
        )


def count_statements(app: Any) -> dict[str, int]:
    """Return a table that the application fills: path -> statements of its latest answer."""
    counts: dict[str, int] = defaultdict(int)

    def one(*_: Any) -> None:
        try:
            g.statements = g.get("statements", 0) + 1
        except RuntimeError:
            return

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", one)

    @app.after_request
    def keep(response: Any) -> Any:
        counts[request.path] = g.get("statements", 0)
        return response

    return counts


def desks(app: Any) -> list[tuple[str, str, str]]:
    """Return desk, role and path of each page that is measured."""
    work_order_id, who, _vendor_id = planned.afternoon_visit(app)
    with app.app_context():
        busiest = db.session.execute(
            select(WorkOrder.vendor_id)
            .where(WorkOrder.visit_on == planned.DAY, WorkOrder.vendor_id.is_not(None))
            .group_by(WorkOrder.vendor_id)
            .order_by(func.count().desc())
            .limit(1)
        ).scalar_one()
        db.session.remove()
    return [
        ("elder home", "elder", "/home"),
        ("elder storefront", "elder", "/services"),
        ("elder bath", "elder", "/services/ZY010"),
        ("family home", "family", "/home"),
        ("hotline console", "hotline", "/hotline"),
        ("vendor today", "vendor", "/vendor"),
        ("vendor people", "vendor", "/vendor/people"),
        ("vendor money", "vendor", "/vendor/money"),
        ("vendor fair share", "vendor", "/vendor/fair"),
        ("vendor board", "vendor", "/board"),
        ("vendor board, why", "vendor", f"/board?visit={work_order_id}"),
        ("vendor board, move", "vendor", f"/board?visit={work_order_id}&who={who}&at=15:00"),
        ("vendor board, ill", "vendor", f"/board?ill={who}"),
        ("caregiver next", "caregiver", "/next"),
        ("civil affairs today", "bureau", "/today"),
        ("civil affairs board", "bureau", f"/board?vendor={busiest}"),
        ("civil affairs plan", "bureau", "/plan"),
        ("auditor money", "auditor", "/money"),
    ]


def measure(browser: Any, url: str, app: Any, *, rounds: int) -> list[Measured]:
    """Open every page in a browser of its own with an empty cache, so many times, and once before."""
    counts = count_statements(app)
    found, signed_in = [], {}
    for desk, role, path in desks(app):
        if role not in signed_in:
            signed_in[role] = _sign_in(browser, url, role)
        paints, weights, maps = [], [], []
        for n in range(rounds + 1):
            paint, weight, drawn = _open(browser, url + path, signed_in[role])
            if n:
                paints.append(paint)
                weights.append(weight)
                maps.append(drawn)
        drawn_ms = [m for m in maps if m is not None]
        found.append(
            Measured(
                desk,
                path,
                statistics.median(paints),
                statistics.median(weights),
                counts[path.partition("?")[0]],
                statistics.median(drawn_ms) if drawn_ms else None,
            )
        )
        print(_line(found[-1]), flush=True)
    return found


def _sign_in(browser: Any, url: str, role: str) -> Any:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.fill("#username", role)
    page.fill("#password", DEMO_PASSWORD)
    page.click("form.narrow button")
    page.wait_for_url(lambda address: "/sign-in" not in address)
    state = context.storage_state()
    context.close()
    return state


def _open(browser: Any, address: str, state: Any) -> tuple[float, float, float | None]:
    context = browser.new_context(
        locale="zh-CN", storage_state=state, viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    wire: list[int] = []
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    session.on(
        "Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["response"]["url"]})
    )
    session.on(
        "Network.loadingFinished",
        lambda e: (
            None if _is_map(kinds.get(e["requestId"], "")) else wire.append(e["encodedDataLength"])
        ),
    )
    page.add_init_script(WATCH)
    page.goto(address, wait_until="load")
    page.wait_for_function("window.painted !== undefined")
    drawn = None
    if page.locator("#citymap").count():
        page.wait_for_function("window.drawn !== undefined")
        drawn = float(page.evaluate("window.drawn"))
    painted = float(page.evaluate("window.painted"))
    context.close()
    return painted, sum(wire) / 1000, drawn


def _is_map(url: str) -> bool:
    return url.endswith((".geojson",)) or "/plan/map.json" in url or "/map/" in url


def _line(m: Measured) -> str:
    drawn = f"{m.map_ms:7.0f}" if m.map_ms is not None else "      -"
    mark = "  OVER" if m.over else ""
    return f"{m.desk:<22}{m.paint_ms:8.0f} ms{m.wire_kb:8.1f} kB{m.statements:5d} SQL  map{drawn} ms{mark}"


def main(arguments: list[str] | None = None) -> int:
    """Measure every desk; 0 where all are within the limits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--orders", type=int, default=5_200)
    parser.add_argument("--elders", type=int, default=12_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of planning")
    parser.add_argument("--folder", type=Path, help="where the city is kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args(arguments)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="nuanju-pages-"))
    app, _clock = planned.build(
        folder, orders=given.orders, elders=given.elders, seconds=given.seconds
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from playwright.sync_api import sync_playwright

    with app.app_context():
        visits = db.session.scalar(
            select(func.count()).select_from(WorkOrder).where(WorkOrder.visit_on == planned.DAY)
        )
        planned_for = db.session.scalar(select(func.count()).select_from(Assignment))
        db.session.remove()
    print(
        f"{visits} work orders of the day, {planned_for} assignments; load {os.getloadavg()[0]:.1f}"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        found = measure(browser, f"http://127.0.0.1:{server.server_port}", app, rounds=given.rounds)
        browser.close()
    server.shutdown()
    print(f"load {os.getloadavg()[0]:.1f}")
    if given.csv:
        with given.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["desk", "path", "paint_ms", "wire_kb", "statements", "map_ms"])
            for m in found:
                writer.writerow(
                    [m.desk, m.path, round(m.paint_ms), round(m.wire_kb, 1), m.statements, m.map_ms]
                )
    return 1 if any(m.over for m in found) else 0


if __name__ == "__main__":
    sys.exit(main())
