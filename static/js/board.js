// The board: drag a visit to another row or time, or nudge it with the arrow keys; either opens the
// page that says what the change costs. Nothing is moved here: the server answers, a person keeps.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const GRAIN = 300;
  const rows = () => document.querySelector("[data-board][data-movable]");
  const movable = (bar) => bar && bar.dataset.kind === "planned" && rows();

  const secondAt = (track, x) => {
    const box = track.getBoundingClientRect();
    const from = Number(rows().dataset.from);
    const to = Number(rows().dataset.to);
    const at = from + ((x - box.left) / box.width) * (to - from);
    return Math.round(Math.min(Math.max(at, from), to) / GRAIN) * GRAIN;
  };
  const clock = (s) => `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, "0")}`;
  const percent = (s) => {
    const from = Number(rows().dataset.from);
    return (100 * (s - from)) / (Number(rows().dataset.to) - from);
  };

  const ask = (bar, who, at) => {
    const url = new URL(rows().dataset.base, location.href);
    url.searchParams.set("visit", bar.dataset.visit);
    url.searchParams.delete("who");
    for (const one of who) url.searchParams.append("who", one);
    url.searchParams.set("at", String(at));
    location.assign(url);
  };
  const crewOf = (bar) => [...document.querySelectorAll(`[data-visit="${CSS.escape(bar.dataset.visit)}"]`)]
    .map((b) => b.closest("[data-caregiver]").dataset.caregiver);

  let ghost = null;
  const show = (track, at, width) => {
    if (!ghost) {
      ghost = document.createElementNS(SVG, "svg");
      ghost.setAttribute("y", "6");
      ghost.setAttribute("height", "44");
      const rect = document.createElementNS(SVG, "rect");
      for (const [k, v] of Object.entries({ class: "g-bar g-bar--ghost", x: 1, y: 1, width: "96%", height: 42, rx: 4 })) rect.setAttribute(k, v);
      const text = document.createElementNS(SVG, "text");
      text.setAttribute("class", "g-text");
      text.setAttribute("x", "5");
      text.setAttribute("y", "27");
      ghost.append(rect, text);
    }
    ghost.setAttribute("width", width);
    ghost.setAttribute("x", `${percent(at)}%`);
    ghost.lastChild.textContent = clock(at);
    document.documentElement.dataset.busy = "1";
    track.append(ghost);
  };
  const hide = () => {
    if (ghost) ghost.remove();
    ghost = null;
    delete document.documentElement.dataset.busy;
  };

  // --- by pointer
  let held = null;
  document.addEventListener("pointerdown", (event) => {
    const bar = event.target.closest("[data-visit]");
    if (!movable(bar) || event.button !== 0) return;
    const shape = bar.querySelector("svg");
    held = { bar, x: event.clientX, y: event.clientY, moved: false,
      grip: event.clientX - shape.getBoundingClientRect().left, width: shape.getAttribute("width") };
  });
  document.addEventListener("dragstart", (event) => {
    if (event.target.closest && event.target.closest("[data-visit]")) event.preventDefault();
  });
  const trackUnder = (event) => {
    const found = document.elementsFromPoint(event.clientX, event.clientY)
      .map((e) => e.closest("[data-caregiver]")).find(Boolean);
    const own = held.bar.closest("[data-caregiver]");
    // Two people move together in time; to whom a crew goes is chosen in the form.
    return Number(held.bar.dataset.crew) > 1 ? own : found || own;
  };
  document.addEventListener("pointermove", (event) => {
    if (!held) return;
    if (!held.moved && Math.hypot(event.clientX - held.x, event.clientY - held.y) < 6) return;
    held.moved = true;
    const track = trackUnder(event);
    show(track, secondAt(track, event.clientX - held.grip), held.width);
  });
  document.addEventListener("pointerup", (event) => {
    if (!held) return;
    const { bar, moved, grip } = held;
    if (moved) {
      const track = trackUnder(event);
      const who = Number(bar.dataset.crew) > 1 ? crewOf(bar) : [track.dataset.caregiver];
      ask(bar, who, secondAt(track, event.clientX - grip));
      document.addEventListener("click", (click) => click.preventDefault(), { once: true, capture: true });
    }
    held = null;
    hide();
  });
  document.addEventListener("pointercancel", () => { held = null; hide(); });

  // --- by keyboard
  let nudged = null;
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.closest("input, select, textarea")) return;
    const bar = event.target.closest("[data-visit]");
    if (movable(bar) && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      event.preventDefault();
      if (!nudged || nudged.bar !== bar) nudged = { bar, at: Number(bar.dataset.start) };
      nudged.at += event.key === "ArrowLeft" ? -GRAIN : GRAIN;
      show(bar.closest("[data-caregiver]"), nudged.at, bar.querySelector("svg").getAttribute("width"));
      return;
    }
    if (event.key === "Enter" && nudged && nudged.bar === bar) {
      event.preventDefault();
      ask(bar, crewOf(bar), nudged.at);
      return;
    }
    if (event.key === "Escape") { nudged = null; hide(); return; }
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") {
      const all = [...document.querySelectorAll("[data-exc]")];
      const at = all.indexOf(document.activeElement);
      const next = all[Math.min(Math.max(at + (key === "j" ? 1 : -1), 0), all.length - 1)];
      if (next) next.focus();
      return;
    }
    if (key === "l" || key === "p") {
      const target = document.querySelector(`[data-key="${key}"]`);
      if (target) target.click();
    }
  });
  document.addEventListener("focusout", () => { if (nudged) { nudged = null; hide(); } });
})();
