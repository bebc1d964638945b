// Keeps the caregiver's page and its files, so that it opens without a signal. Nothing else is kept.
"use strict";
const STORE = "nuanju-caregiver-2";
const PAGE = "/next";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname === PAGE) event.respondWith(fresh(event.request));
  else if (url.pathname.startsWith("/static/")) event.respondWith(stored(event.request));
  // Whoever signs out on this phone leaves no page behind.
  else if (url.pathname === "/sign-in") event.waitUntil(caches.delete(STORE));
});

async function fresh(request) {
  const store = await caches.open(STORE);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) await store.put(PAGE, answer.clone());
    return answer;
  } catch (error) {
    const known = await store.match(PAGE);
    if (known) return known;
    throw error;
  }
}

async function stored(request) {
  const store = await caches.open(STORE);
  const known = await store.match(request);
  if (known) return known;
  const answer = await fetch(request);
  if (answer.ok) await store.put(request, answer.clone());
  return answer;
}
