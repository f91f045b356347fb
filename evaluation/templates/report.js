"use strict";
(() => {
  const rows = Array.from(document.querySelectorAll("#table tbody tr"));
  const buttons = Array.from(document.querySelectorAll("#controls button"));
  const search = document.getElementById("search");
  const more = document.getElementById("more");
  const status = document.getElementById("status");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const step = 20;
  let state = "all";
  let limit = step;
  const update = () => {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    rows.forEach((row, index) => {
      const fits = (state === "all" || row.dataset.state === state) && (!wanted || texts[index].includes(wanted));
      found += fits ? 1 : 0;
      row.hidden = !fits || found > limit;
    });
    more.hidden = found <= limit;
    status.textContent = `${Math.min(found, limit)} of ${found} shown`;
  };
  buttons.forEach((button) => button.addEventListener("click", () => {
    state = button.dataset.state;
    limit = step;
    buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    update();
  }));
  search.addEventListener("input", () => { limit = step; update(); });
  more.addEventListener("click", () => { limit += 5 * step; update(); });
  document.getElementById("controls").hidden = false;
  update();
})();
