// Live parts: when another desk did something, this page asks for itself again and takes its live
// parts from the answer. A part in which somebody types or ticks is left alone.
(() => {
  "use strict";
  if (!document.querySelector("[data-live]") || !("EventSource" in window)) return;
  let due = null;
  let touched = new Set();
  document.addEventListener("input", (event) => {
    const part = event.target.closest("[data-live]");
    if (part) touched.add(part.dataset.live);
  });

  const refresh = async () => {
    due = null;
    // Nothing is replaced under a hand that is dragging.
    if (document.documentElement.dataset.busy) { soon(); return; }
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.querySelector(`[data-live="${part.dataset.live}"]`);
        const here = part.contains(document.activeElement) ? document.activeElement : null;
        if (!fresh || touched.has(part.dataset.live)) continue;
        if (here && here.matches("input, select, textarea, button")) continue;
        // Whoever walks through links by keyboard stays where they were.
        const mark = here && (here.dataset.visit || here.getAttribute("href"));
        part.replaceChildren(...fresh.childNodes);
        if (mark) {
          const again = [...part.querySelectorAll("a")]
            .find((a) => a.dataset.visit === mark || a.getAttribute("href") === mark);
          if (again) again.focus({ preventScroll: true });
        }
      }
      document.documentElement.dataset.refreshed = String(Number(document.documentElement.dataset.refreshed || 0) + 1);
    } catch {
      // No answer: the next event or the next load brings the facts.
    }
  };
  const soon = () => { due = due || setTimeout(refresh, 300 + Math.random() * 400); };

  const feed = new EventSource("/live");
  let opened = false;
  feed.addEventListener("changed", soon);
  feed.addEventListener("ring", (event) => {
    document.dispatchEvent(new CustomEvent("nuanju:ring", { detail: JSON.parse(event.data) }));
  });
  feed.addEventListener("open", () => {
    document.documentElement.dataset.live = "1";
    // After a gap something may have been missed.
    if (opened) soon();
    opened = true;
  });
  addEventListener("pagehide", () => feed.close());
})();
