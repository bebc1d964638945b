// The day on a map without tiles: district outlines, a dot for each visit, one vendor's routes.
(() => {
  "use strict";
  const box = document.getElementById("citymap");
  if (!box || !window.L) return;

  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const map = L.map(box, {
    preferCanvas: true, zoomSnap: 0.25, attributionControl: false,
    fadeAnimation: false, zoomAnimation: false, markerZoomAnimation: false, inertia: false,
  });
  map.setView([32.45, 120.0], 9);
  const kinds = [
    { radius: 2.5, stroke: false, fillOpacity: 0.75, fillColor: colour("--step-3") },
    { radius: 3.5, stroke: false, fillOpacity: 1, fillColor: colour("--lamp-edge") },
    { radius: 2, stroke: false, fillOpacity: 0.6, fillColor: colour("--line-firm") },
    { radius: 5, weight: 1.5, color: "#fff", fillOpacity: 1, fillColor: colour("--stop") },
  ];
  const routeColours = ["--water", "--pay-nation", "--pay-local", "--pay-gift", "--pay-own"].map(colour);

  const shapes = fetch(box.dataset.shapes).then((r) => r.json());
  const day = fetch(box.dataset.points, { headers: { Accept: "application/json" } }).then((r) => r.json());

  shapes.then((data) => {
    const here = box.dataset.district;
    const layer = L.geoJSON(data, {
      interactive: false,
      style: (f) => ({
        color: colour("--line-firm"), weight: 1,
        fillColor: colour("--surface"), fillOpacity: here && f.properties.code !== here ? 0.2 : 0.9,
      }),
    }).addTo(map);
    layer.bringToBack();
    for (const f of data.features) {
      const name = document.createElement("span");
      name.textContent = f.properties.name;
      L.marker([f.properties.lat, f.properties.lng], {
        interactive: false, keyboard: false,
        icon: L.divIcon({ className: "citymap__name", html: name, iconSize: null }),
      }).addTo(map);
    }
    const chosen = data.features.find((f) => f.properties.code === here);
    map.fitBounds(chosen ? L.geoJSON(chosen).getBounds() : layer.getBounds(), { padding: [8, 8] });
  });

  Promise.all([shapes, day]).then(([, data]) => {
    data.routes.forEach((route, n) => {
      L.polyline([route.base, ...route.stops, route.base], {
        color: routeColours[n % routeColours.length], weight: 1.5, opacity: 0.8, interactive: false,
      }).addTo(map);
    });
    // What nobody serves lies on top.
    data.points.sort((a, b) => (a[2] === 3) - (b[2] === 3));
    for (const [lat, lng, kind] of data.points) {
      L.circleMarker([lat, lng], { ...kinds[kind], interactive: false }).addTo(map);
    }
    box.dataset.drawn = String(data.points.length);
  });
})();
