"""Lighthouse on six pages of a small served town, from the storefront to the elder's file.

    npm install --prefix DIR lighthouse@12
    python -m tests.bench.lighthouse --program DIR/node_modules/.bin/lighthouse [--runs 3] [--out FILE]
                                     [--reports DIR]

Prints accessibility, best practices and performance of each page (0 to 100) and what Lighthouse
objects to; exits 1 where accessibility or best practices are not 100 or performance is under 95. Needs
Chromium and Node. Performance is the median of the runs on Lighthouse's simulated slow phone, with the
product's own web server; on a busy machine it says little, so the load is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import create_app, db
from marketplace.config import Settings
from marketplace.kernel.actor import Role
from marketplace.kernel.clock import FrozenClock, Period, today
from marketplace.kernel.db import Base, transaction
from tests import builders, small_city
from tests.bench.pages import served
from tests.databases import MONDAY_MORNING

PAGES = {
    "storefront": ("elder", "/services"),
    "elder home": ("elder", "/home"),
    "hotline console": ("hotline", "/hotline?phone=13800000000"),
    "paper slips": ("hotline", "/paper?q=E000000"),
    "card at the site": ("vendor", "/site"),
    "elder's file": ("bureau", "/elders/E000000/file?on=2026-11-23"),
}
LEAST = {"accessibility": 100, "best-practices": 100, "performance": 95}
CHROME = "--headless=new --no-sandbox --disable-gpu --disable-background-networking"


def town(folder: Path) -> Any:
    """Build a small town; return its application."""
    settings = Settings(
        instance=folder, secret_key="s" * 40, data_key="d" * 40, demo=True, log_level="ERROR"
    )
    app = create_app(settings, clock=FrozenClock(MONDAY_MORNING))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        ports = app.extensions["ports"]
        day = today(ports.clock)
        city = small_city.build(db.session, ports, day=day, work_orders=240)
        for district in small_city.DISTRICTS:
            builders.granted(db.session, Period.of(day), district)
        db.session.commit()
        small_city.hold_prices(db.session, ports)
        with transaction(db.session):
            create_accounts(
                db.session,
                [
                    NewAccount(
                        username="elder", display_name="张桂兰", role=Role.ELDER,
                        elder_id=city.elder_id,
                    ),
                    NewAccount(username="hotline", display_name="吴敏", role=Role.HOTLINE),
                    NewAccount(
                        username="vendor", display_name="徐建国", role=Role.VENDOR,
                        vendor_id=city.vendor_id,
                    ),
                    NewAccount(username="bureau", display_name="周敏", role=Role.BUREAU),
                ],
                password=DEMO_PASSWORD,
            )  # fmt: skip
    return app


def cookie_of(address: str, username: str) -> str:
    """Sign in over HTTP and return the session as a Cookie header."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = opener.open(f"{address}/sign-in").read().decode()
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "username": username, "password": DEMO_PASSWORD, "next": ""}
    opener.open(f"{address}/sign-in", urllib.parse.urlencode(form).encode()).read()
    return "; ".join(f"{c.name}={c.value}" for c in jar)


def look(program: str, chromium: str, address: str, cookie: str) -> dict[str, Any]:
    """Run Lighthouse on one page; return its report."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as headers:
        json.dump({"Cookie": cookie}, headers)
        headers.flush()
        done = subprocess.run(
            [
                program, address, "--output=json", "--quiet", f"--chrome-flags={CHROME}",
                f"--extra-headers={headers.name}",
                f"--only-categories={','.join(LEAST)}",
            ],
            env={**os.environ, "CHROME_PATH": chromium},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    if done.returncode:
        sys.exit(f"lighthouse failed on {address}: {done.stderr[-800:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def objections(report: dict[str, Any], category: str) -> list[str]:
    """Return the audits of a category that cost points."""
    audits = report["audits"]
    return [
        f"{ref['id']}: {audits[ref['id']].get('displayValue') or audits[ref['id']]['title']}"
        for ref in report["categories"][category]["auditRefs"]
        if ref["weight"] and (audits[ref["id"]]["score"] or 0) < 0.9
        and audits[ref["id"]]["scoreDisplayMode"] not in ("notApplicable", "manual", "informative")
    ]  # fmt: skip


def median_of(reports: list[dict[str, Any]]) -> dict[str, int]:
    """Return each category's median score, 0 to 100."""
    return {
        c: round(100 * statistics.median(r["categories"][c]["score"] or 0 for r in reports))
        for c in LEAST
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=shutil.which("lighthouse"))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--reports", type=Path, help="keep Lighthouse's whole answers here")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not options.program or not chromium:
        sys.exit("lighthouse or chromium is not installed: nothing was looked at")
    bad, kept = False, {}
    with tempfile.TemporaryDirectory() as folder, served(town(Path(folder))) as address:
        for name, (username, path) in PAGES.items():
            if options.only not in name:
                continue
            cookie = cookie_of(address, username)
            # A server that runs has compiled its templates long before.
            asked = urllib.request.Request(address + path, headers={"Cookie": cookie})
            urllib.request.urlopen(asked).read()
            reports = [
                look(options.program, chromium, address + path, cookie) for _ in range(options.runs)
            ]
            if options.reports:
                options.reports.mkdir(parents=True, exist_ok=True)
                for n, report in enumerate(reports):
                    file = options.reports / f"{name.replace(' ', '-')}-{n}.json"
                    file.write_text(json.dumps(report), "utf-8")
            shown = reports[0]["finalDisplayedUrl"].replace(address, "")
            scores = median_of(reports)
            kept[name] = {"url": shown, "scores": scores}
            print(name, shown, scores, f"load {os.getloadavg()[0]:.1f}", flush=True)
            for category, least in LEAST.items():
                if scores[category] < least:
                    bad = True
                    print(f"  {category}:", "; ".join(objections(reports[-1], category)))
    if options.out:
        options.out.write_text(json.dumps(kept, ensure_ascii=False, indent=1), "utf-8")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
