"""Every page in both languages, on a phone and on an office screen: no axe violation, nothing lost."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = {
    "sign-in": (None, "/sign-in"),
    "not-found": (None, "/no-such-page"),
    "storefront": ("elder", "/services"),
    "storefront-search": ("elder", "/services?q=zy"),
    "storefront-nothing": ("elder", "/services?q=qqqq"),
    "storefront-stranger": (None, "/services?c=ZY"),
    "order-form": ("elder", "/services/ZJ001"),
    "elder-home": ("elder", "/home"),
    "elder-visit": ("elder", "/visits/W000000"),
    "elder-code": ("elder", "/home/code"),
    "elder-family": ("elder", "/home/family"),
    "elder-bill": ("elder", "/home/bill?month=2026-11"),
    "family-home": ("family", "/home"),
    "family-link": ("family", "/link"),
    "family-join": (None, "/join"),
    "hotline-empty": ("hotline", "/hotline"),
    "hotline-new": ("hotline", "/hotline?new=1"),
    "hotline-card": ("hotline", "/hotline?phone=13800000000"),
    "hotline-order": ("hotline", "/services/ZJ001?for=E000000"),
    "community-order": ("community", "/services/ZC006"),
    "vendor-today": ("vendor", "/vendor"),
    "vendor-visit": ("vendor", "/visits/W000000"),
    "caregiver-next": ("caregiver", "/next"),
    "caregiver-hours": ("caregiver", "/next/hours"),
    "bureau-today": ("bureau", "/today"),
    "bureau-plan": ("bureau", "/plan"),
    "bureau-plan-vendor": ("bureau", "/plan?vendor=V000&district=321202"),
    "bureau-plan-empty": ("bureau", "/plan?day=2026-12-24"),
    "bureau-cases": ("bureau", "/cases"),
    "bureau-cases-search": ("bureau", "/cases?q=张"),
    "bureau-case": ("bureau", "/cases/E000000"),
    "bureau-grants": ("bureau", "/grants"),
    "bureau-programmes": ("bureau", "/programmes"),
    "bureau-programme": ("bureau", "/programmes/LV"),
    "bureau-settlement": ("bureau", "/settlement"),
    "bureau-fairness": ("bureau", "/fairness"),
    "street-today": ("street", "/today"),
    "street-cases": ("street", "/cases"),
    "auditor-today": ("auditor", "/today"),
    "auditor-money": ("auditor", "/money"),
    "auditor-trace": ("auditor", "/trace/W000000"),
    "auditor-trace-unknown": ("auditor", "/trace/none"),
}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
EXPECTED_ERRORS = {"not-found": "404", "auditor-trace-unknown": "404"}


def violations(page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{v['id']}: {n['html'][:160]}" for v in found for n in v["nodes"][:3]]


def complaints(name: str, desk) -> list[str]:
    allowed = EXPECTED_ERRORS.get(name)
    return [c for c in desk.complaints if allowed is None or allowed not in c]


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_the_page_has_no_barrier_and_stays_on_this_host(desk, name, lang, width):
    role, path = PAGES[name]
    here = desk(role, width=width, lang=lang).open(path)
    here.picture(f"{name}-{lang}-{width}")
    assert violations(here.page) == []
    assert here.overflow() <= 0
    assert complaints(name, here) == []


@pytest.mark.parametrize("look", ["larger", "high", "high-larger"])
@pytest.mark.parametrize("name", ["elder-home", "order-form", "storefront", "elder-visit"])
def test_elder_mode_has_no_barrier_and_is_large(desk, name, look):
    role, path = PAGES[name]
    here = desk(role, width=390, look=look).open(path)
    here.picture(f"{name}-{look}")
    assert violations(here.page) == []
    assert here.overflow() <= 0
    assert small_things(here.page) == []


@pytest.mark.parametrize("name", ["elder-home", "order-form", "storefront-search"])
def test_elder_pages_have_large_type_and_large_targets(desk, name):
    role, path = PAGES[name]
    here = desk(role, width=390).open(path)
    assert small_things(here.page) == []


@pytest.mark.parametrize("width", [320, 640, 768])
@pytest.mark.parametrize(
    "name", ["elder-home", "storefront", "hotline-card", "vendor-today", "bureau-today", "sign-in"]
)
def test_nothing_is_lost_on_narrow_screens_and_at_double_size(desk, name, width):
    role, path = PAGES[name]
    here = desk(role, width=width).open(path)
    assert here.overflow() <= 0


def small_things(page) -> list[str]:
    """Return text under 20 px and targets under 60 px that an elder would meet."""
    return page.evaluate(
        """() => {
          const seen = [];
          const visible = (e) => e.checkVisibility() && !e.closest('.skip, .sr');
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const node = walker.currentNode, e = node.parentElement;
            if (!node.data.trim() || !visible(e) || e.closest('script, noscript, svg')) continue;
            const size = parseFloat(getComputedStyle(e).fontSize);
            if (size < 20) seen.push(`${size}px: ${node.data.trim().slice(0, 30)}`);
          }
          const targets = 'a[href], button, summary, select, input:not([type=hidden]):not([type=radio])';
          for (const e of document.querySelectorAll(targets)) {
            if (!visible(e)) continue;
            // A tick's target is the whole line that labels it.
            const target = e.type === 'checkbox' || e.type === 'file' ? e.closest('label') || e : e;
            const box = target.getBoundingClientRect();
            if (box.height < 59.5) seen.push(`${box.height}px high: ${e.outerHTML.slice(0, 80)}`);
          }
          return seen;
        }"""
    )
