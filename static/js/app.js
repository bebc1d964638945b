// 暖居 Nuanju: what every page may use. Each page works without it.
(() => {
  "use strict";

  // Read-aloud, where the browser has a Chinese (or the page's) voice.
  const read = document.querySelector("[data-read]");
  if (read && "speechSynthesis" in window) {
    read.hidden = false;
    read.addEventListener("click", () => {
      if (speechSynthesis.speaking) {
        speechSynthesis.cancel();
        return;
      }
      const main = document.getElementById("main");
      const words = new SpeechSynthesisUtterance(main.innerText);
      words.lang = document.documentElement.lang;
      words.rate = 0.85;
      speechSynthesis.speak(words);
    });
  }

  // On a phone the entries of the main navigation slide: begin where the reader is.
  const here = document.querySelector(".nav [aria-current]");
  if (here && here.parentElement.scrollWidth > here.parentElement.clientWidth) {
    here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 24;
  }

  const print = document.querySelector("[data-print]");
  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }

  // One sending for each form: a second tap while the first is on its way does nothing.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });

  // Forms sent by htmx carry the page's form token.
  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector("input[name=csrf_token]");
    if (token) event.detail.headers["X-CSRFToken"] = token.value;
  });
})();
