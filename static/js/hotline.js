// The console by keyboard: a key opens what stands beside it and puts the focus where Enter does it.
(() => {
  "use strict";
  const search = document.getElementById("q");

  const open = (key) => {
    const part = document.querySelector(`#card [data-key="${key}"]`);
    if (!part) return false;
    if (part.tagName === "A") {
      part.click();
      return true;
    }
    for (const other of document.querySelectorAll("#card details[data-key]")) {
      if (other !== part && other.getAttribute("name") === part.getAttribute("name")) other.open = false;
    }
    part.open = true;
    const next = part.querySelector("form input[type=radio]:checked, form button");
    if (next) next.focus();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");
    if (event.key === "Escape") {
      search.value = "";
      search.focus();
      event.preventDefault();
      return;
    }
    if (event.target === search && event.key === "/" && !search.value) {
      event.preventDefault();
      return;
    }
    if (typing) {
      // Enter in the search field takes the first who is found.
      const first = document.querySelector("#found a");
      if (event.target === search && event.key === "Enter" && first) {
        event.preventDefault();
        first.click();
      }
      if (event.target === search && /^[1-9]$/.test(event.key) && !/^\d/.test(search.value)) {
        const chosen = document.querySelectorAll("#found a")[Number(event.key) - 1];
        if (chosen && search.value) {
          event.preventDefault();
          chosen.click();
        }
      }
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (/^[1-9a-zA-Z]$/.test(event.key) && open(event.key.toLowerCase())) {
      event.preventDefault();
    }
  });
})();
