// "Recompute here": fetches the rows behind a number, evaluates its measure again (measures.js) and says whether it agrees.
(() => {
  const { up, measures: script } = document.documentElement.dataset;
  const SHOWN = 50; // rows that are listed
  const COLUMNS = ["run", "row", "prompt", "seed", "scorer", "way", "label", "number", "status"];
  const tables = new Map(); // address -> rows
  let loading = null;

  const element = (name, text = "", ...children) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    made.append(...children);
    return made;
  };

  function evaluator() {
    loading ??= new Promise((resolve, reject) => {
      const tag = Object.assign(document.createElement("script"), { src: script, onload: () => resolve(globalThis.measures), onerror: reject });
      document.head.append(tag);
    });
    return loading;
  }

  async function rowsAt(address, parse) {
    if (!tables.has(address)) {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`the rows could not be loaded (${answer.status})`);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      const packed = bytes[0] === 0x1f && bytes[1] === 0x8b; // a server may have unpacked them already
      const stream = packed ? new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")) : new Blob([bytes]).stream();
      tables.set(address, parse(await new Response(stream).text()));
    }
    return tables.get(address);
  }

  function printed(number, digits) {
    return number === null ? "none" : number.toFixed(digits).replace("-", "\u2212");
  }

  function agrees(published, number, digits) {
    return published === "" || published === undefined ? number === null : number !== null && Number(published).toFixed(digits) === number.toFixed(digits);
  }

  function report(place, found, seconds) {
    const { value, low, high, digits: text } = place.dataset, digits = Number(text);
    const interval = found.interval ? ` [${found.interval.map((one) => printed(one, digits)).join(", ")}]` : "";
    const same = agrees(value, found.value, digits) && (low === undefined || (found.interval && agrees(low, found.interval[0], digits) && agrees(high, found.interval[1], digits)));
    const lost = found.failed + found.not_run ? `, ${found.failed} failed, ${found.not_run} not run` : "";
    return `${printed(found.value, digits)}${interval} from ${found.n} observations in ${found.clusters} independent ones${lost}, in ${seconds.toFixed(1)} s: ${same ? "agrees with the published number" : "differs from the published number"}.`;
  }

  function listing(measure, rows, selects) {
    const selections = [measure.of, measure.beside, ...(measure.only ?? [])].filter(Boolean);
    const used = rows.filter((row) => selections.some((one) => selects(one, row)));
    const head = element("tr", "", ...COLUMNS.map((name) => Object.assign(element("th", name), { scope: "col" })));
    const body = used.slice(0, SHOWN).map((row) => element("tr", "", ...COLUMNS.map((name) => element("td", row[name]))));
    const box = element("div", "", element("table", "", element("thead", "", head), element("tbody", "", ...body)));
    box.className = "table-scroll";
    box.tabIndex = 0;
    box.role = "region";
    box.ariaLabel = "Rows";
    return element("details", "", element("summary", `The rows: ${used.length > SHOWN ? `first ${SHOWN} of ` : ""}${used.length}`), box);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-recompute]");
    if (!button) return;
    const place = button.closest(".recompute"), said = place.querySelector("output");
    place.querySelector("details")?.remove();
    button.disabled = true;
    said.textContent = "Loading the rows \u2026";
    try {
      const { parse, selects, supports, evaluate } = await evaluator();
      const measure = JSON.parse(place.dataset.measure);
      if (!supports(measure)) throw new Error("this test is computed by the command only");
      const rows = await rowsAt(up + place.dataset.rows, parse);
      const start = performance.now();
      said.textContent = report(place, evaluate(measure, rows), (performance.now() - start) / 1000);
      said.after(listing(measure, rows, selects));
    } catch (error) {
      said.textContent = `Not recomputed: ${error.message}.`;
    }
    button.disabled = false;
  });
})();
