// A card reader types like a keyboard: what it types goes into the field, wherever the focus went.
(() => {
  "use strict";
  const field = document.querySelector("[data-reader]");
  if (!field) return;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.key.length !== 1 || event.key === " ") return;
    if (event.target.closest("input, select, textarea")) return;
    field.focus();
  });
  // Back on this window, the next card is read without a click.
  addEventListener("focus", () => {
    if (document.activeElement === document.body) field.focus();
  });
})();
