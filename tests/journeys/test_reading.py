"""Pages for eyes that see little: contrast of 7:1, double size, the narrowest phone, the keyboard."""

from __future__ import annotations

import pytest

from tests.journeys.test_pages import PAGES, small_things

pytestmark = [pytest.mark.browser, pytest.mark.slow]

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


@pytest.mark.parametrize("look", ["", "larger", "high"])
@pytest.mark.parametrize("name", ELDERS)
def test_elders_read_at_seven_to_one_in_large_type_and_hit_large_targets(desk, name, look):
    role, path = PAGES[name]
    here = desk(role, width=390, look=look).open(path)
    assert here.page.evaluate(CONTRAST) == []
    assert small_things(here.page) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_lost_at_320_pixels_and_at_double_size(desk, name):
    role, path = PAGES[name]
    here = desk(role, width=320).open(path)
    assert here.overflow() <= 0, "320 px"
    assert here.page.evaluate(CUT) == []
    # 200 % zoom of a 1280 px window is a window of 640; text alone at 200 % is the root's size.
    here.page.set_viewport_size({"width": 640, "height": 720})
    assert here.overflow() <= 0, "200 % zoom"
    here.page.set_viewport_size({"width": 1280, "height": 720})
    here.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert here.overflow() <= 0, "200 % text"
    assert here.page.evaluate(CUT) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_control_is_reached_by_tab_and_shows_where_it_is(desk, name):
    role, path = PAGES[name]
    here = desk(role, width=1440).open(path)
    page = here.page
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
    reached, faint = set(), []
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
        if told is None:
            # Past the last control the focus leaves the page and comes back at its head.
            continue
        # A field for a date takes several tabs by itself.
        reached.add(told[0])
        if not told[1]:
            faint.append(told[2])
    assert faint == []
    assert len(reached) >= wanted - page.locator(".leaflet-container a").count()
