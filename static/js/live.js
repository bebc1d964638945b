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
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.querySelector(`[data-live="${part.dataset.live}"]`);
        if (!fresh || part.contains(document.activeElement) || touched.has(part.dataset.live)) continue;
        part.replaceChildren(...fresh.childNodes);
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
