// Filters of galleries, the wall and the audit: each select names a data attribute of the things it filters.
(() => {
  for (const place of document.querySelectorAll("[data-filter]")) {
    const bar = place.querySelector("[data-filter-bar]");
    if (!bar) continue;
    const things = [...place.querySelector(".hangs").children];
    const chosen = [...bar.querySelectorAll("select")];
    const count = bar.querySelector("output");
    bar.hidden = false;
    bar.addEventListener("change", () => {
      let shown = 0;
      for (const thing of things) {
        const fits = chosen.every((one) => !one.value || (thing.dataset[one.dataset.filterKey] || "").split(" ").includes(one.value));
        thing.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${things.length}`;
    });
  }
})();
