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
      const over = mine.some((i) => i.kind === "check_out" || i.kind === "no_access") || stop.dataset.over === "1";
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

  // Oldest first, and not more than about 400 kB at once: pictures go a few at a time.
  const portion = (all) => {
    let size = 0;
    return all.slice(0, 200).filter((i, n) => {
      size += (i.photo || "").length + 500;
      return n === 0 || size < 400000;
    });
  };

  let sending = false;
  const send = async () => {
    const items = portion(kept());
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
        else if (item.kind !== "photo") stop.dataset.over = "1";
      }
      keep(kept().filter((i) => !done.has(i.id)));
      bar.dataset.refusal = refused.length ? words.refused.replace("{why}", refused[0].detail) : "";
      phone.dataset.sent = String(Number(phone.dataset.sent || 0) + done.size);
      if (kept().length) setTimeout(send, 0);
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
      at_device: new Date(Date.now() + Number(phone.dataset.shift)).toISOString(), device_id: device, offline: !navigator.onLine,
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
  // A picture is made small here, and its perceptual hash with it, before it leaves the phone.
  const drawn = (image, width, height) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0, width, height);
    return { canvas, pen };
  };
  const phash = (image) => {
    const { data } = drawn(image, 9, 8).pen.getImageData(0, 0, 9, 8);
    const grey = Array.from({ length: 72 }, (_, n) => 0.3 * data[4 * n] + 0.59 * data[4 * n + 1] + 0.11 * data[4 * n + 2]);
    let hash = 0n;
    for (let y = 0; y < 8; y += 1) {
      for (let x = 0; x < 8; x += 1) hash = (hash << 1n) | (grey[9 * y + x] > grey[9 * y + x + 1] ? 1n : 0n);
    }
    return hash.toString(16).padStart(16, "0");
  };
  const pictured = async (file) => {
    const image = await createImageBitmap(file);
    const scale = Math.min(1, 1024 / Math.max(image.width, image.height));
    const { canvas } = drawn(image, Math.round(image.width * scale), Math.round(image.height * scale));
    let photo = "";
    for (const quality of [0.7, 0.5, 0.3]) {
      photo = canvas.toDataURL("image/jpeg", quality).split(",")[1];
      if (photo.length < 280000) break;
    }
    return { photo, phash: phash(image) };
  };
  for (const label of document.querySelectorAll("[data-photo]")) {
    label.hidden = false;
    const stop = label.closest("[data-stop]");
    const word = label.querySelector("[data-photo-word]");
    label.querySelector("input").addEventListener("change", async (event) => {
      const file = event.target.files[0];
      event.target.value = "";
      if (!file) return;
      const picture = await pictured(file);
      try {
        add(stop, "photo", { method: "gps_photo", ...picture });
        label.dataset.count = String(Number(label.dataset.count || 0) + 1);
        word.textContent = word.dataset.done.replace("{n}", label.dataset.count);
      } catch {
        say(words.full, "stop");
      }
    });
  }

  // The home's picture code, where the browser can read one.
  const scanner = document.getElementById("scanner");
  const canScan = "BarcodeDetector" in window && navigator.mediaDevices && scanner;
  let scanning = null;
  const endScan = () => {
    if (!scanning) return;
    clearInterval(scanning.timer);
    for (const track of scanning.stream.getTracks()) track.stop();
    scanning = null;
    scanner.close();
  };
  const scan = async (stop, kind) => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    const video = scanner.querySelector("video");
    video.srcObject = stream;
    scanner.showModal();
    video.play().catch(() => {});
    const reader = new BarcodeDetector({ formats: ["qr_code"] });
    const timer = setInterval(async () => {
      const [found] = await reader.detect(video).catch(() => []);
      if (!found || !scanning) return;
      endScan();
      add(stop, kind, { method: "home_code", code: found.rawValue.slice(0, 80) });
    }, 250);
    scanning = { stream, timer };
  };
  if (canScan) {
    scanner.querySelector("[data-scan-end]").addEventListener("click", endScan);
    scanner.addEventListener("close", endScan);
    for (const button of document.querySelectorAll("[data-scan]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        scan(button.closest("[data-stop]"), button.dataset.scan).catch(() => say(words.nocamera, "stop"));
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
