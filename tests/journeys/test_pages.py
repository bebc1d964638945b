"""Every page as it is read: both languages, phone and office screen, keyboard, eyes that see little.

A page is opened once for a language and a look, and several claims are held against what was opened;
see `here`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.journeys.conftest import Desk

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
    "elder-purses": ("elder", "/elders/E000000/purses"),
    "elder-messages": ("elder", "/messages"),
    "family-home": ("family", "/home"),
    "family-link": ("family", "/link"),
    "family-join": (None, "/join"),
    "hotline-empty": ("hotline", "/hotline"),
    "hotline-new": ("hotline", "/hotline?new=1"),
    "hotline-card": ("hotline", "/hotline?phone=13800000000"),
    "hotline-order": ("hotline", "/services/ZJ001?for=E000000"),
    "hotline-paper": ("hotline", "/paper?q=E000000"),
    "hotline-paper-slip": ("hotline", "/paper/W000000"),
    "community-order": ("community", "/services/ZC006"),
    "vendor-today": ("vendor", "/vendor"),
    "vendor-visit": ("vendor", "/visits/W000000"),
    "vendor-site": ("vendor", "/site"),
    "caregiver-next": ("caregiver", "/next"),
    "caregiver-site": ("caregiver", "/site"),
    "caregiver-hours": ("caregiver", "/next/hours"),
    "caregiver-month": ("caregiver", "/next/hours?span=month"),
    "bureau-today": ("bureau", "/today"),
    "bureau-plan": ("bureau", "/plan"),
    "bureau-plan-vendor": ("bureau", "/plan?vendor=V000&district=321202"),
    "bureau-plan-empty": ("bureau", "/plan?day=2026-12-24"),
    "bureau-cases": ("bureau", "/cases"),
    "bureau-cases-search": ("bureau", "/cases?q=张"),
    "bureau-case": ("bureau", "/cases/E000000"),
    "bureau-purses": ("bureau", "/elders/E000000/purses"),
    "bureau-messages": ("bureau", "/messages"),
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
ELDERS_FIRST = ("elder-home", "order-form", "storefront", "elder-visit")
"""Pages that are looked at in every look by axe as well."""
EXPECTED_ERRORS = {"not-found": "404", "auditor-trace-unknown": "404"}


@dataclass(frozen=True)
class Opened:
    """A page that was opened for a language and a look."""

    desk: Desk
    name: str
    lang: str
    look: str

    @property
    def page(self):
        return self.desk.page

    @property
    def complaints(self) -> list[str]:
        """What the browser complained of since the page was opened, but for what is expected."""
        allowed = EXPECTED_ERRORS.get(self.name)
        return [c for c in self.desk.complaints if allowed is None or allowed not in c]


ELDERS = (
    "elder-home",
    "elder-visit",
    "elder-code",
    "elder-family",
    "elder-bill",
    "family-home",
    "family-link",
    "family-join",
    "storefront",
    "storefront-search",
    "order-form",
)
"""Pages that elders and their families read."""

FAMILYS = ("elder-family", "elder-bill", "family-link", "family-join")
"""Pages between an elder and the family."""

VISITS = [
    *((name, "zh", "") for name in PAGES),
    *((name, "en", "") for name in PAGES),
    *((name, "zh", look) for look in ("larger", "high") for name in ELDERS),
    *((name, "zh", "high-larger") for name in ELDERS_FIRST),
]
"""Page, language, look."""

CONTRAST = """() => {
  const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(at).backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, e = node.parentElement;
    if (!node.data.trim() || !e.checkVisibility()) continue;
    if (e.closest('.sr, .skip, svg, script, option')) continue;
    const ink = numbers(getComputedStyle(e).color).slice(0, 3);
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 7) faint.push(`${ratio.toFixed(2)}: ${node.data.trim().slice(0, 30)}`);
  }
  return faint;
}"""
"""Text whose contrast with its ground is under 7:1, however large it is."""

CUT = """() => [...document.querySelectorAll('main *, header *')]
  .filter((e) => e.checkVisibility())
  .filter((e) => !e.closest('svg, .sr, .table-wrap, .scroll-x, .citymap, pre, textarea, video'))
  .filter((e) => ['hidden', 'clip'].includes(getComputedStyle(e).overflowX))
  .filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.outerHTML.slice(0, 80))"""
"""Elements whose content is cut off at the side."""


def violations(page) -> list[str]:
    """Return what axe calls a barrier on the page as it stands."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("rules => axe.run(rules).then((told) => told.violations)", RULES)
    return [f"{v['id']}: {n['html'][:160]}" for v in found for n in v["nodes"][:3]]


def visits(wanted: Callable[[str, str, str], bool]):
    """Hold a claim against the visits that are wanted; pytest keeps those of one page together."""
    found = [v for v in VISITS if wanted(*v)]
    names = ["-".join(part for part in v if part) for v in found]
    return pytest.mark.parametrize("here", found, ids=names, indirect=True)


@pytest.fixture(scope="module")
def here(request: pytest.FixtureRequest, seat) -> Opened:
    """A page that is open for reading; each claim sets the window that it speaks of."""
    name, lang, look = request.param
    role, path = PAGES[name]
    desk = seat(role, lang=lang)
    desk.complaints.clear()
    desk.resize(390).wear(lang=lang, look=look).open(path)
    return Opened(desk, name, lang, look)


@visits(lambda name, lang, look: not look)
def test_the_page_has_no_barrier_and_stays_on_this_host(here):
    for width in (390, 1440):
        here.desk.resize(width).picture(f"{here.name}-{here.lang}-{width}")
        assert violations(here.page) == [], width
        assert here.desk.overflow() <= 0, width
    assert here.complaints == []


@visits(lambda name, lang, look: look and name in ELDERS_FIRST)
def test_elder_mode_has_no_barrier(here):
    here.desk.resize(390).picture(f"{here.name}-{here.look}")
    assert violations(here.page) == []
    assert here.desk.overflow() <= 0


@visits(lambda name, lang, look: lang == "zh" and name in ELDERS)
def test_elders_read_at_seven_to_one_in_large_type_and_hit_large_targets(here):
    here.desk.resize(390)
    assert here.page.evaluate(CONTRAST) == []
    assert small_things(here.page) == []


@visits(lambda name, lang, look: not look and name in FAMILYS)
def test_the_familys_pages_are_large_at_every_width(here):
    for width in (1440, 390, 320):
        assert small_things(here.desk.resize(width).page) == [], width
        assert here.desk.overflow() <= 0, width
    assert violations(here.page) == [], "320 px"


@visits(lambda name, lang, look: lang == "zh" and not look)
def test_nothing_is_lost_on_narrow_screens_and_at_double_size(here):
    desk = here.desk
    assert desk.resize(320).overflow() <= 0, "320 px"
    assert here.page.evaluate(CUT) == []
    # 200 % zoom of a 1280 px window is a window of 640; text alone at 200 % is the root's size.
    assert desk.resize(640).overflow() <= 0, "200 % zoom"
    assert desk.resize(768).overflow() <= 0, "768 px"
    desk.resize(1280)
    here.page.evaluate("document.documentElement.style.fontSize = '200%'")
    try:
        assert desk.overflow() <= 0, "200 % text"
        assert here.page.evaluate(CUT) == []
    finally:
        here.page.evaluate("document.documentElement.style.fontSize = ''")


@visits(lambda name, lang, look: lang == "zh" and not look)
def test_every_control_is_reached_by_tab_and_shows_where_it_is(here):
    page = here.desk.resize(1440).page
    wanted = page.evaluate(
        """() => {
          const kinds = 'a[href], button, input:not([type=hidden]), select, textarea, summary';
          const seen = [...document.querySelectorAll(kinds)].filter((e) => e.checkVisibility()
            && !e.disabled && e.tabIndex >= 0 && !e.closest('.leaflet-container'));
          // Of one group of radio buttons the tab key stops at one.
          const groups = new Set();
          return seen.filter((e) => e.type !== 'radio' || (!groups.has(e.name) && groups.add(e.name))).length;
        }"""
    )
    reached, faint, before = [], [], None
    page.evaluate("document.activeElement && document.activeElement.blur()")
    for _ in range(wanted + 40):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => {
              const e = document.activeElement;
              if (!e || e === document.body) return null;
              e.dataset.stop9 = e.dataset.stop9 || String(Math.random());
              const s = getComputedStyle(e.closest('.slot, label.btn') || e);
              const seen = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
              return [e.dataset.stop9, seen, e.outerHTML.slice(0, 80)];
            }"""
        )
        # Past the last control the focus leaves the page and comes back at its head.
        stop = told and told[0]
        if stop and stop != before and reached[:1] == [stop]:
            break
        before = stop
        if stop is None:
            continue
        # A field for a date takes several tabs by itself.
        reached.append(stop)
        if not told[1]:
            faint.append(told[2])
    # The next claim looks at the same page: a way past the heading that has the focus covers it.
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    assert faint == []
    assert len(set(reached)) >= wanted - page.locator(".leaflet-container a").count()


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
