// The button says how many offers are ticked and what they pay.
(() => {
  "use strict";
  const yuan = new Intl.NumberFormat("en", { minimumFractionDigits: 2 });
  const say = () => {
    const form = document.querySelector("form[data-sum]");
    const here = form && form.querySelector("[data-sum-here]");
    if (!here) return;
    const ticked = [...form.querySelectorAll("input[name=offer]:checked")];
    const fen = ticked.reduce((sum, box) => sum + Number(box.dataset.fen), 0);
    here.textContent = form.dataset.sum
      .replace("{n}", ticked.length).replace("{sum}", "¥" + yuan.format(fen / 100));
    here.closest("button").disabled = ticked.length === 0;
  };
  document.addEventListener("change", say);
  say();
})();
