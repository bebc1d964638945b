// The caregiver's phone without a signal: what happens is kept here and sent later, once.
// Ids are made on the phone; the server takes each id once, however often it arrives.
(() => {
  "use strict";
  const phone = document.getElementById("phone");
  if (!phone) return;
  const KEY = "nuanju-kept";
  const bar = document.getElementById("queue");
  const words = phone.dataset;
  const kept = () => JSON.parse(localStorage.getItem(KEY) || "[]");
  const keep = (items) => localStorage.setItem(KEY, JSON.stringify(items));
  const device = localStorage.getItem("nuanju-device") || crypto.randomUUID();
  localStorage.setItem("nuanju-device", device);

  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js");

  const say = (text, tone) => {
    bar.querySelector("p").textContent = text;
    bar.className = "bar" + (tone ? " bar--" + tone : " bar--wait");
    bar.hidden = !text;
  };

  const show = () => {
    const n = kept().length;
    if (!navigator.onLine) say(words.offline + " " + words.kept.replace("{n}", n), "wait");
    else if (n) say(words.kept.replace("{n}", n), "wait");
    else if (!bar.dataset.refusal) bar.hidden = true;
    else say(bar.dataset.refusal, "stop");
  };

  // What the page shows follows what was done here, sent or not.
  const state = () => {
    const items = kept();
    let lit = false;
    for (const stop of document.querySelectorAll("[data-stop]")) {
      const mine = items.filter((i) => i.work_order_id === stop.dataset.stop);
      const over = mine.some((i) => i.kind !== "check_in") || stop.dataset.over === "1";
      const inside = stop.dataset.in === "1" || mine.some((i) => i.kind === "check_in");
      stop.hidden = over || lit;
      if (!over) lit = true;
      stop.querySelector("[data-part=in]").hidden = inside;
      stop.querySelector("[data-part=out]").hidden = !inside;
      const later = document.querySelector(`[data-later="${stop.dataset.stop}"]`);
      if (later) later.hidden = over || !stop.hidden;
    }
    const end = document.getElementById("alldone");
    if (end && document.querySelector("[data-stop]")) end.hidden = lit;
  };

  const visitOf = (stop) => {
    const earlier = kept().find((i) => i.work_order_id === stop.dataset.stop);
    stop.dataset.visit = stop.dataset.visit || (earlier && earlier.visit_id) || crypto.randomUUID();
    return stop.dataset.visit;
  };

  let sending = false;
  const send = async () => {
    const items = kept();
    if (sending || !items.length || !navigator.onLine) return show();
    sending = true;
    try {
      const token = phone.querySelector("input[name=csrf_token]").value;
      const answer = await fetch(words.send, {
        method: "POST", redirect: "manual",
        headers: { "Content-Type": "application/json", "Accept": "application/json", "X-CSRFToken": token },
        body: JSON.stringify({ items }),
      });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 400) {
        say(words.again, "stop");
        return;
      }
      if (!answer.ok) return;
      const told = await answer.json();
      phone.querySelector("input[name=csrf_token]").value = told.csrf_token;
      const refused = told.results.filter((r) => !r.ok);
      const done = new Set(told.results.map((r) => r.id));
      for (const item of items) {
        const r = told.results.find((x) => x.id === item.id);
        const stop = document.querySelector(`[data-stop="${item.work_order_id}"]`);
        if (!r || !r.ok || !stop) continue;
        if (item.kind === "check_in") stop.dataset.in = "1";
        else stop.dataset.over = "1";
      }
      keep(kept().filter((i) => !done.has(i.id)));
      bar.dataset.refusal = refused.length ? words.refused.replace("{why}", refused[0].detail) : "";
      phone.dataset.sent = String(Number(phone.dataset.sent || 0) + done.size);
    } catch {
      // No signal after all: the items stay and are sent at the next try.
    } finally {
      sending = false;
      state();
      show();
    }
  };

  const add = (stop, kind, more) => {
    const ticked = [...stop.querySelectorAll("[data-task]")];
    const done = ticked.map((t, n) => (t.checked ? n + 1 : 0)).filter(Boolean).join(",");
    const item = {
      id: crypto.randomUUID(), kind, work_order_id: stop.dataset.stop, visit_id: visitOf(stop),
      at_device: new Date().toISOString(), device_id: device, offline: !navigator.onLine,
      note: kind === "check_out" && done ? "tasks " + done : "", ...more,
    };
    delete bar.dataset.refusal;
    keep([...kept(), item]);
    state();
    show();
    send();
  };

  for (const stop of document.querySelectorAll("[data-stop]")) {
    for (const form of stop.querySelectorAll("form[data-kind]")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        event.stopPropagation();
        add(stop, form.dataset.kind, { method: "home_code", code: form.elements.code.value });
        form.elements.code.value = "";
      });
    }
    for (const button of stop.querySelectorAll("[data-place]")) {
      button.hidden = !("geolocation" in navigator);
      button.addEventListener("click", () => {
        navigator.geolocation.getCurrentPosition(
          (p) => add(stop, button.dataset.place, {
            method: "gps", lat: p.coords.latitude, lng: p.coords.longitude,
            accuracy_m: Math.round(p.coords.accuracy),
          }),
          () => say(words.noplace, "stop"),
          { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 },
        );
      });
    }
  }
  addEventListener("online", send);
  addEventListener("offline", show);
  setInterval(send, 20000);
  state();
  show();
  send();
})();
