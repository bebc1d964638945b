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
    const next = part.querySelector("[data-times][aria-busy=true]")
      || part.querySelector("form input[type=radio]:checked, form button");
    if (next) next.focus();
    return true;
  };

  // Times are asked for when their matter opens; a digit that was pressed meanwhile still counts.
  let wanted = 0;
  document.addEventListener("htmx:afterSwap", (event) => {
    const part = event.target.closest("[data-times]");
    if (!part) return;
    part.removeAttribute("aria-busy");
    const all = part.querySelectorAll("input[type=radio]");
    const row = all[wanted - 1] || all[0];
    wanted = 0;
    if (!row) return;
    row.checked = true;
    if (part.contains(document.activeElement)) row.focus();
  });

  // Inside an open matter a digit chooses the row that stands beside it.
  const choose = (event) => {
    const part = event.target.closest("#card details[open][name=act], #task-panel");
    if (!part || !/^[1-9]$/.test(event.key)) return false;
    const row = part.querySelectorAll("form input[type=radio]")[Number(event.key) - 1];
    if (part.querySelector("[data-times][aria-busy=true]")) {
      wanted = Number(event.key);
      return true;
    }
    if (!row || part.id) return false;
    row.checked = true;
    row.focus();
    return true;
  };

  // A function key follows the link that names it; a telephone that rings comes before the list.
  let ringing = null;
  const call = (key) => {
    if (key === "F4" && ringing) {
      location.assign(ringing);
      return true;
    }
    const link = document.querySelector(`[data-fkey="${key}"]`);
    if (link) link.click();
    return Boolean(link);
  };

  document.addEventListener("nuanju:ring", (event) => {
    const { url, phone } = event.detail;
    const busy = document.getElementById("card") || document.getElementById("newcaller") || search.value;
    if (!busy) {
      location.assign(url);
      return;
    }
    ringing = url;
    const bar = document.getElementById("ringing");
    bar.querySelector("p").textContent = bar.dataset.word.replace("{n}", phone);
    bar.hidden = false;
  });

  // The address picker: arrows move, Enter takes, and the house number is typed behind it.
  const address = document.getElementById("n-address");
  const places = () => [...document.querySelectorAll("#places [role=option]")];
  const take = (option) => {
    address.value = option.dataset.name;
    document.getElementById("places").replaceChildren();
    address.setAttribute("aria-expanded", "false");
    address.removeAttribute("aria-activedescendant");
    address.focus();
  };
  if (address) {
    document.addEventListener("htmx:afterSwap", () => {
      const all = places();
      address.setAttribute("aria-expanded", String(all.length > 0));
      if (all.length) address.setAttribute("aria-activedescendant", all[0].id);
      else address.removeAttribute("aria-activedescendant");
    });
    address.addEventListener("keydown", (event) => {
      const all = places();
      if (!all.length) return;
      const at = all.findIndex((o) => o.getAttribute("aria-selected") === "true");
      if (event.key === "Enter") {
        event.preventDefault();
        take(all[Math.max(at, 0)]);
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const next = (at + (event.key === "ArrowDown" ? 1 : all.length - 1)) % all.length;
        all.forEach((o, n) => o.setAttribute("aria-selected", String(n === next)));
        address.setAttribute("aria-activedescendant", all[next].id);
      }
    });
    document.addEventListener("click", (event) => {
      const option = event.target.closest("#places [role=option]");
      if (option) take(option);
    });
  }
  const first = document.querySelector("#task-panel [data-first]");
  if (first) first.focus();

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^F[24]$/.test(event.key) && call(event.key)) {
      event.preventDefault();
      return;
    }
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
    } else if (choose(event)) {
      event.preventDefault();
    } else if (/^[1-9a-zA-Z]$/.test(event.key) && open(event.key.toLowerCase())) {
      event.preventDefault();
    }
  });
})();
