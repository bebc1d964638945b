"""How quick and how heavy every page is, with a city's day of 5,200 orders behind it.

    python -m tests.bench.pages [--folder DIR] [--orders 5200] [--elders 20000] [--rounds 3]
                                [--counts-only] [--only WORD] [--csv OUT]

Makes the demonstration's city (kept in ``--folder``, so that a second run measures at once) and then:

1. asks for every page once by the application's test client: SQL statements, and kilobytes of the
   page with the style sheets, scripts and icons that it names, plain and as a browser gets them (map
   data apart). These do not depend on the machine; ``--counts-only`` ends here.
2. serves the city by the product's own web server and opens each page in Debian's Chromium with an
   empty cache: median milliseconds to the first paint with content, to the largest one (the page is
   of use) and, on the map, until all points stand on the screen.

The pages of a closed month are measured in a copy of the city, whose morning has ended in it.

Exit 1 where a page is over a limit; each limit that is missed is named.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import re
import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import brotli
from flask import g
from sqlalchemy import event, func, select

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.commands.serve import run_server
from marketplace.elders.models import Elder, FamilyLink
from marketplace.orders.models import Assignment, WorkOrder
from tests.journeys import planned
from tests.journeys.conftest import FLAGS

PAINT_MS, WIRE_KB, STATEMENTS, MAP_MS = 1_000, 300, 60, 1_500

WATCH = """
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) if (e.name === 'first-contentful-paint') window.painted = e.startTime;
}).observe({ type: 'paint', buffered: true });
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) window.useful = e.startTime;
}).observe({ type: 'largest-contentful-paint', buffered: true });
new MutationObserver(() => {
  const map = document.querySelector('#citymap[data-drawn]');
  // Two frames later what was drawn stands on the screen.
  if (map && !window.waits) {
    window.waits = true;
    requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = performance.now(); }));
  }
}).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-drawn'] });
"""
_REFERRED = re.compile(r'(?:src|href)="(/static/[^"#?]+)')


@dataclass(frozen=True, slots=True)
class Measured:
    """One page. Milliseconds are medians, ``None`` where no browser looked or there is no map."""

    desk: str
    path: str
    status: int
    plain_kb: float
    wire_kb: float
    statements: int
    paint_ms: float | None = None
    useful_ms: float | None = None
    map_ms: float | None = None

    @property
    def missed(self) -> list[str]:
        """Return each limit that the page is over, in words."""
        limits = (
            ("kB", self.wire_kb, WIRE_KB),
            ("SQL", self.statements, STATEMENTS),
            ("ms to the useful paint", self.useful_ms or 0, PAINT_MS),
            ("ms to the map", self.map_ms or 0, MAP_MS),
        )
        over = [
            f"{value:.0f} {word}, at most {most}" for word, value, most in limits if value > most
        ]
        return over if self.status == 200 else [f"answer {self.status}", *over]


def desks(app: Any) -> list[tuple[str, str, str]]:
    """Return a name, the role and the path of each page that is measured."""
    work_order_id, who, _vendor_id = planned.afternoon_visit(app)
    with app.app_context():
        elder_id, elder_phone = _elder(app)
        busiest = db.session.execute(
            select(WorkOrder.vendor_id)
            .where(WorkOrder.visit_on == planned.DAY, WorkOrder.vendor_id.is_not(None))
            .group_by(WorkOrder.vendor_id)
            .order_by(func.count().desc())
            .limit(1)
        ).scalar_one()
        visit = db.session.execute(
            select(WorkOrder.id)
            .where(WorkOrder.elder_id == elder_id, WorkOrder.visit_on == planned.DAY)
            .order_by(WorkOrder.id)
            .limit(1)
        ).scalar_one()
        db.session.remove()
    return [
        ("stranger sign in", "", "/sign-in"),
        ("stranger storefront", "", "/services"),
        ("elder home", "elder", "/home"),
        ("elder code", "elder", "/home/code"),
        ("elder bill", "elder", "/home/bill"),
        ("elder family", "elder", "/home/family"),
        ("elder storefront", "elder", "/services"),
        ("elder storefront, a kind", "elder", "/services?c=HL"),
        ("elder bath", "elder", "/services/ZY010"),
        ("elder visit", "elder", f"/visits/{visit}"),
        ("family home", "family", "/home"),
        ("community order", "community", f"/services/ZJ001?for={elder_id}"),
        ("hotline console", "hotline", "/hotline"),
        ("hotline search", "hotline", "/hotline?q=z"),
        ("hotline ring", "hotline", f"/hotline?phone={elder_phone}"),
        ("hotline card", "hotline", f"/hotline?elder={elder_id}"),
        ("hotline order", "hotline", f"/services/ZY010?for={elder_id}"),
        ("hotline plan", "hotline", "/plan"),
        ("hotline paper slips", "hotline", "/paper"),
        ("hotline paper slip", "hotline", f"/paper/{work_order_id}"),
        ("vendor today", "vendor", "/vendor"),
        ("vendor people", "vendor", "/vendor/people"),
        ("vendor person", "vendor", f"/vendor/people/{who}"),
        ("vendor money", "vendor", "/vendor/money"),
        ("vendor fair share", "vendor", "/vendor/fair"),
        ("vendor site", "vendor", "/site"),
        ("vendor visit", "vendor", f"/visits/{work_order_id}"),
        ("vendor board", "vendor", "/board"),
        ("vendor board, why", "vendor", f"/board?visit={work_order_id}"),
        ("vendor board, move", "vendor", f"/board?visit={work_order_id}&who={who}&at=15:00"),
        ("vendor board, ill", "vendor", f"/board?ill={who}"),
        ("caregiver next", "caregiver", "/next"),
        ("caregiver hours", "caregiver", "/next/hours"),
        ("civil affairs today", "bureau", "/today"),
        ("civil affairs board", "bureau", "/board"),
        ("civil affairs board, one", "bureau", f"/board?vendor={busiest}"),
        ("civil affairs map", "bureau", "/plan"),
        ("civil affairs map, routes", "bureau", f"/plan?vendor={busiest}"),
        ("civil affairs cases", "bureau", "/cases"),
        ("civil affairs case", "bureau", f"/cases/{elder_id}"),
        ("civil affairs file", "bureau", f"/elders/{elder_id}/file?on={planned.DAY}"),
        ("civil affairs vendor", "bureau", f"/vendors/{busiest}"),
        ("civil affairs grants", "bureau", "/grants"),
        ("civil affairs programmes", "bureau", "/programmes"),
        ("civil affairs settlement", "bureau", "/settlement"),
        ("civil affairs fairness", "bureau", "/fairness"),
        ("street today", "street", "/today"),
        ("auditor money", "auditor", "/money"),
        ("auditor trace", "auditor", f"/trace/{visit}"),
    ]


def after_the_closing(statement_id: str) -> list[tuple[str, str, str]]:
    """Return the pages of a closed month: name, role and path."""
    page = f"/statements/{statement_id}"
    return [
        ("statement, vendor", "vendor", page),
        ("statement, civil affairs", "bureau", page),
        ("statements, civil affairs", "bureau", f"/settlement?month={planned.PERIOD}"),
        ("statements, auditor", "auditor", "/money"),
        ("statements, what is owed", "bureau", "/debts"),
    ]


def _elder(app: Any) -> tuple[str, str]:
    """Return the id of the demonstration's elder, and the telephone from which they are rung for."""
    elder_id = db.session.scalar(select(Account.elder_id).where(Account.username == "elder"))
    own = db.session.scalar(select(Elder.phone_sealed).where(Elder.id == elder_id))
    kin = db.session.scalar(
        select(FamilyLink.phone_sealed)
        .where(FamilyLink.elder_id == elder_id, FamilyLink.phone_sealed.is_not(None))
        .order_by(FamilyLink.id)
        .limit(1)
    )
    return elder_id, app.extensions["ports"].vault.open(own or kin)


def counted(app: Any, pages: list[tuple[str, str, str]]) -> Iterator[Measured]:
    """Ask for each page by the test client, as a browser with brotli; the second answer counts.

    The first may be the one that notes a look into a file or compiles a template.
    """
    counts: dict[str, int] = {"now": 0}

    def one(*_: Any) -> None:
        if g:
            counts["now"] += 1

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", one)
    clients: dict[str, Any] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for desk, role, path in pages:
        client = clients.setdefault(role, _client(app, role))
        client.get(path)
        counts["now"] = 0
        answer = client.get(path, headers={"Accept-Encoding": "br"})
        statements, wire = counts["now"], len(answer.data)
        packed = answer.headers.get("Content-Encoding") == "br"
        plain = brotli.decompress(answer.data) if packed else answer.data
        parts = [
            _size(client, url, sizes) for url in sorted(set(_REFERRED.findall(plain.decode())))
        ]
        yield Measured(
            desk,
            path,
            answer.status_code,
            (len(plain) + sum(p for p, _ in parts)) / 1000,
            (wire + sum(w for _, w in parts)) / 1000,
            statements,
        )
    with app.app_context():
        event.remove(db.engine, "before_cursor_execute", one)


def _client(app: Any, role: str) -> Any:
    client = app.test_client()
    if role:
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
        assert token is not None
        form = {"csrf_token": token[1], "username": role, "password": DEMO_PASSWORD}
        assert client.post("/sign-in", data=form).status_code == 302, f"{role} cannot sign in"
    return client


def _size(client: Any, url: str, known: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Return the bytes of a static file, plain and on the wire."""
    if url not in known:
        plain = len(client.get(url).data)
        known[url] = plain, len(client.get(url, headers={"Accept-Encoding": "br"}).data)
    return known[url]


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve the application by the product's web server, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A fork: the city's clock stands still at half past seven in the server, too.
    server = multiprocessing.get_context("fork").Process(
        target=run_server, args=(app,), kwargs={"host": "127.0.0.1", "port": port, "workers": 1}
    )
    server.start()
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/healthz").read()
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit("the server did not start")
        yield url
    finally:
        server.terminate()
        server.join(30)


def timed(browser: Any, url: str, found: list[Measured], roles: list[str], rounds: int) -> Any:
    """Yield each page with the medians of its opening; one round before is not counted."""
    signed_in: dict[str, Any] = {"": None}
    for page, role in zip(found, roles, strict=True):
        if role not in signed_in:
            signed_in[role] = _sign_in(browser, url, role)
        seen = [_open(browser, url + page.path, signed_in[role]) for _ in range(rounds + 1)][1:]
        maps = [drawn for _, _, drawn in seen if drawn is not None]
        yield replace(
            page,
            paint_ms=statistics.median(paint for paint, _, _ in seen),
            useful_ms=statistics.median(useful for _, useful, _ in seen),
            map_ms=statistics.median(maps) if maps else None,
        )


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
    """Open a page in a fresh context; return ms to the first and the largest paint, and to the map."""
    context = browser.new_context(
        locale="zh-CN", storage_state=state, viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address, wait_until="load")
    _told_of(page, "window.useful")
    drawn = _told_of(page, "window.drawn") if page.locator("#citymap").count() else None
    # A larger part that is painted late would be told within this time.
    page.wait_for_timeout(200)
    painted, useful = _told_of(page, "window.painted"), _told_of(page, "window.useful")
    context.close()
    return painted, useful, drawn


def _told_of(page: Any, name: str) -> float:
    """Return a figure as soon as the page has it. The pages' policy forbids waiting by a function."""
    until = time.monotonic() + 30
    while (value := page.evaluate(name)) is None:
        if time.monotonic() > until:
            sys.exit(f"{page.url} never told {name}")
        page.wait_for_timeout(20)
    return float(value)


HEAD = f"{'page':<26}{'plain kB':>9}{'wire kB':>9}{'SQL':>5}{'first ms':>10}{'useful ms':>10}{'map ms':>8}"


def _line(m: Measured) -> str:
    times = [f"{t:.0f}" if t is not None else "-" for t in (m.paint_ms, m.useful_ms, m.map_ms)]
    row = (
        f"{m.desk:<26}{m.plain_kb:9.1f}{m.wire_kb:9.1f}{m.statements:5d}"
        f"{times[0]:>10}{times[1]:>10}{times[2]:>8}"
    )
    return f"{row}  MISSED: {'; '.join(m.missed)}" if m.missed else row


def main(arguments: list[str] | None = None) -> int:
    """Measure every page; 0 where all are within the limits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--orders", type=int, default=5_200)
    parser.add_argument("--elders", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of planning")
    parser.add_argument("--folder", type=Path, help="where the city is kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counts-only", action="store_true", help="no browser, no clock")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args(arguments)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="nuanju-pages-"))
    app, _clock = planned.build(
        folder, orders=given.orders, elders=given.elders, seconds=given.seconds
    )
    with app.app_context():
        visits = db.session.scalar(
            select(func.count()).select_from(WorkOrder).where(WorkOrder.visit_on == planned.DAY)
        )
        assigned = db.session.scalar(select(func.count()).select_from(Assignment))
        db.session.remove()
    print(f"{visits} work orders of the day, {assigned} assignments; load {os.getloadavg()[0]:.1f}")
    print(HEAD)
    found = _measured(app, desks(app), given)
    if any(given.only in row[0] for row in after_the_closing("")):
        month, statement_id = planned.closed(
            folder, orders=given.orders, elders=given.elders, seconds=given.seconds
        )
        found += _measured(month, after_the_closing(statement_id), given)
    print(f"{sum(bool(m.missed) for m in found)} of {len(found)} pages miss a limit", end="; ")
    print(f"load {os.getloadavg()[0]:.1f}")
    if given.csv:
        _write(given.csv, found)
    return 1 if any(m.missed for m in found) else 0


def _measured(app: Any, asked: list[tuple[str, str, str]], given: Any) -> list[Measured]:
    """Count the asked pages of an application, and open them in a browser where one is wanted."""
    pages = [row for row in asked if given.only in row[0]]
    found = list(_told(counted(app, pages), quiet=not given.counts_only))
    if given.counts_only or not found:
        return found
    from playwright.sync_api import sync_playwright

    roles = [role for _, role, _ in pages]
    with served(app) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        found = list(_told(timed(browser, url, found, roles, given.rounds)))
        browser.close()
    return found


def _told(rows: Iterator[Measured], *, quiet: bool = False) -> Iterator[Measured]:
    for row in rows:
        if not quiet:
            print(_line(row), flush=True)
        yield row


def _write(path: Path, found: list[Measured]) -> None:
    names = [
        "desk", "path", "status", "plain_kb", "wire_kb", "statements", "paint_ms", "useful_ms", "map_ms",
    ]  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([getattr(m, name) for name in names] for m in found)


if __name__ == "__main__":
    sys.exit(main())
