// Sorting (ascending, descending, as printed), filtering long tables by words, and frames that scroll only where they must.
(() => {
  // What fits its frame needs no stop of the Tab key; what scrolls sideways keeps it.
  const more = (box) => box.toggleAttribute("data-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth;
      target.tabIndex = scrolls ? 0 : -1;
      target.toggleAttribute("data-scrolls", scrolls);
      more(target);
    }
  });
  function enhance(root) {
    root.querySelectorAll(".table-scroll, .bibtex pre").forEach((box) => {
      watch.observe(box);
      box.addEventListener("scroll", () => more(box), { passive: true });
    });
    root.querySelectorAll("table[data-sortable]").forEach(sortable);
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const printed = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];

    const key = (row, column) => {
      const cell = row.cells[column];
      const number = cell.querySelector("data");
      if (column && !number) return null;
      if (number) return number.value === "" ? null : Number(number.value);
      return cell.textContent.trim().toLowerCase();
    };
    const compare = (one, two, column, turn) => {
      const a = key(one, column), b = key(two, column);
      if (a === null || b === null) return (a === null) - (b === null); // what has no number stands last, both ways
      return turn * (typeof a === "number" ? a - b : a.localeCompare(b));
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort") || "none"];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (next !== "none") head.setAttribute("aria-sort", next);
        table.toggleAttribute("data-sorted", next !== "none");
        const turn = next === "descending" ? -1 : 1;
        body.append(...(next === "none" ? printed : [...printed].sort((one, two) => compare(one, two, column, turn))));
      });
    });

    if (printed.length > 8) {
      const box = document.createElement("div");
      const label = document.createElement("label");
      const input = document.createElement("input");
      const count = document.createElement("output");
      box.className = "table-filter";
      input.type = "search";
      input.id = "rows-" + table.closest("[data-table]").dataset.table;
      label.htmlFor = input.id;
      label.textContent = "Filter rows";
      input.addEventListener("input", () => {
        const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        for (const row of printed) {
          const text = row.cells[0].textContent.toLowerCase();
          row.hidden = !words.every((word) => text.includes(word));
          shown += !row.hidden;
        }
        count.textContent = words.length ? `${shown} of ${printed.length}` : "";
      });
      box.append(label, input, count);
      table.closest("[data-table]").prepend(box);
    }
  }

  // A table on a page of its own folds open in place; where that page cannot be read (file://), it is opened itself.
  async function fill(details, address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const table = document.importNode(page.querySelector("main .table"), true);
    for (const link of table.querySelectorAll("a[href]")) link.href = new URL(link.getAttribute("href"), address).href;
    table.querySelector("caption").removeAttribute("id");
    details.append(table);
    enhance(details);
  }

  for (const place of document.querySelectorAll("[data-table-page]")) {
    const address = place.querySelector("a").href;
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    details.className = "folded";
    details.id = place.id;
    details.dataset.folded = place.dataset.tablePage;
    summary.append(place.querySelector("a").textContent, " ", place.querySelector(".count"));
    details.append(summary);
    details.addEventListener("toggle", () => fill(details, address).catch(() => { location.href = address; }), { once: true });
    place.replaceWith(details);
  }

  enhance(document);
})();
