// Filters of galleries and the wall: each select names a data attribute of the things it filters. Rows in which nothing
// is left disappear with their things. A choice that a browser brings back is applied.
(() => {
  for (const place of document.querySelectorAll("[data-filter]")) {
    const bar = place.querySelector("[data-filter-bar]");
    if (!bar) continue;
    const marked = place.querySelectorAll("[data-filter-thing]");
    const things = marked.length ? [...marked] : [...place.querySelector(".hangs").children];
    const chosen = [...bar.querySelectorAll("select")];
    const count = bar.querySelector("output");
    bar.hidden = false;
    const apply = () => {
      let shown = 0;
      for (const thing of things) {
        const fits = chosen.every((one) => !one.value || (thing.dataset[one.dataset.filterKey] || "").split(" ").includes(one.value));
        thing.hidden = !fits;
        shown += fits;
      }
      place.querySelectorAll("[data-filter-group]").forEach((group) => { group.hidden = !group.querySelector("[data-filter-thing]:not([hidden])"); });
      count.textContent = `${shown} of ${things.length}`;
    };
    const restore = () => { if (chosen.some((one) => one.value)) apply(); };
    bar.addEventListener("change", apply);
    addEventListener("pageshow", restore);
    restore();
  }
})();
