// The knob reads filmstrips: one strip a prompt, one picture a strength and algorithm. The first stands on the page, the
// others are fetched from the page of all filmstrips when the reader reaches for another prompt.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDE = 120, TALL = 34;

  function drawn(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  // The course of one score along the knob, on a scale that all scores of the prompt share, and where the knob stands.
  function course(numbers, at, span) {
    const middle = (Math.min(...numbers) + Math.max(...numbers)) / 2;
    const place = (number, index) => [4 + index / (numbers.length - 1) * (WIDE - 8), TALL / 2 - (number - middle) / span * (TALL - 10)];
    const places = numbers.map(place);
    const svg = drawn("svg", { class: "course", viewBox: `0 0 ${WIDE} ${TALL}`, width: WIDE, height: TALL, "aria-hidden": "true" });
    svg.append(drawn("polyline", { points: places.map((one) => one.join(",")).join(" ") }), drawn("circle", { cx: places[at][0], cy: places[at][1], r: 4 }));
    return svg;
  }

  // The filmstrips of another page by exhibit, their addresses as seen from here.
  async function fetched(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const here = (path) => new URL(path, address).href;
    for (const link of page.querySelectorAll(".knob-film a[href]")) link.href = here(link.getAttribute("href"));
    for (const image of page.querySelectorAll(".knob-film img")) image.src = here(image.getAttribute("src"));
    for (const source of page.querySelectorAll(".knob-film source")) {
      source.srcset = source.getAttribute("srcset").split(", ").map((one) => one.replace(/^\S+/, here)).join(", ");
    }
    return [...page.querySelectorAll(".knob-film")].map((film) => [film.dataset.exhibit, document.importNode(film, true)]);
  }

  for (const knob of document.querySelectorAll("[data-knob]")) {
    const live = knob.querySelector(".knob-live");
    const films = new Map([...knob.querySelectorAll(".knob-film")].map((film) => [film.dataset.exhibit, film]));
    const more = knob.querySelector("[data-films]");
    const prompt = live.querySelector("[data-knob-prompt]");
    const beyond = live.querySelector("[data-knob-beyond]");
    const stops = [...live.querySelectorAll(".knob-stops span")];
    const arms = [...live.querySelectorAll("input[data-knob-choice]")];
    const range = live.querySelector("input[type=range]");
    const place = live.querySelector(".knob-picture");
    const scores = live.querySelector(".knob-scores");
    const said = live.querySelector(".knob-said");
    const strength = live.querySelector(".knob-strength");
    const algorithms = arms.length ? arms.map((one) => one.value) : [undefined];
    const strengths = range.dataset.strengths.split(" ").map(Number);
    const words = (cell) => cell.dataset.words.split(",").filter(Boolean);
    const numbers = (cells, score) => cells.map((cell) => Number(cell.querySelectorAll(".scores data")[score].value));
    const spread = (list) => Math.max(...list) - Math.min(...list);

    function strip(arm) { // the cells of the shown prompt and an algorithm, in order of strength
      const cells = [...films.get(prompt.value).querySelectorAll(".knob-cell")];
      return strengths.map((at) => cells.filter((one) => Number(one.dataset.turned) === at)).map((those) => those.find((one) => one.dataset.chosen === arm) || those[0]);
    }

    function show() {
      const at = Number(range.value), end = Number(range.max) + 1;
      const cells = strip(arms.find((one) => one.checked)?.value);
      const found = cells[at];
      const picture = found.querySelector("picture").cloneNode(true);
      const frame = document.createElement("a");
      picture.querySelector("img").loading = "eager";
      frame.href = found.querySelector("a[data-permalink]").href;
      frame.append(picture);
      place.replaceChildren(frame);

      const mark = at === 0 ? live.dataset.zero : at >= range.dataset.inside ? beyond.dataset.knobBeyond : "";
      strength.textContent = mark ? `${strengths[at]}, ${mark}` : String(strengths[at]);
      range.setAttribute("aria-valuetext", strength.textContent);

      const list = found.querySelector(".scores")?.cloneNode(true);
      if (list) compare(list, cells, at, end);
      if (said) say(words(found), words(cells[0]));
    }

    function compare(list, cells, at, end) { // the scores of the picture, each with its course over all strengths
      const sorts = [...list.querySelectorAll("dd")];
      const span = Math.max(...algorithms.flatMap((arm) => sorts.map((_, score) => spread(numbers(strip(arm), score))))) || 1;
      sorts.forEach((dd, score) => dd.append(course(numbers(cells, score).slice(0, end), at, span)));
      scores.replaceChildren(list);
    }

    function say(sees, before) { // what the judge found, and what of the first picture is gone
      const lost = before.filter((word) => !sees.includes(word));
      said.replaceChildren(`${live.dataset.by} ${sees.join(", ") || live.dataset.nothing}`);
      if (lost.length) {
        const gone = document.createElement("s");
        gone.textContent = lost.join(", ");
        said.append(`; ${live.dataset.lost} `, gone);
      }
      said.append(".");
    }

    function ahead() { // the neighbours of the shown picture, so that turning the knob does not flicker
      films.get(prompt.value).querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
    }

    function extend() { // opens the strengths beyond the end of the slider, or closes them again
      range.max = (beyond.checked ? strengths.length : Number(range.dataset.inside)) - 1;
      stops.forEach((one, at) => { one.hidden = at > range.max; });
      show();
    }

    let loading = null;
    function all() {
      loading ??= fetched(more.href).then((found) => found.forEach(([name, film]) => { if (!films.has(name)) films.set(name, film); }));
      return loading;
    }

    // What is shown, in the address: #knob=exhibit,choice,strength
    function note() {
      const choice = arms.find((one) => one.checked)?.value ?? "";
      history.replaceState(null, "", `#knob=${prompt.value},${choice},${strengths[range.value]}`);
    }

    async function recall() {
      const [wanted, choice, strength] = decodeURIComponent(location.hash.slice("#knob=".length)).split(",");
      if (![...prompt.options].some((one) => one.value === wanted)) return;
      prompt.value = wanted;
      for (const one of arms) one.checked = one.value === choice || (one.checked && !arms.some((other) => other.value === choice));
      const at = Math.max(0, strengths.indexOf(Number(strength)));
      if (beyond && at >= range.dataset.inside) { beyond.checked = true; range.max = strengths.length - 1; stops.forEach((stop) => { stop.hidden = false; }); }
      range.value = at;
      await ask();
      knob.scrollIntoView({ block: "center" });
    }

    async function ask() { // shows another prompt; where its filmstrip cannot be read (file://), its own page opens
      const wanted = prompt.value;
      if (!films.has(wanted)) await all().catch(() => {});
      if (films.has(wanted)) { if (prompt.value === wanted) show(); }
      else location.href = films.values().next().value.querySelector("[data-permalink]").href.replace(/[^/]+$/, `${wanted}.html`);
    }

    range.addEventListener("input", show);
    beyond?.addEventListener("change", extend);
    range.addEventListener("pointerdown", ahead);
    range.addEventListener("keydown", ahead);
    prompt.addEventListener("change", ask);
    for (const reach of ["focus", "pointerenter"]) prompt.addEventListener(reach, () => all().catch(() => {}), { once: true });
    arms.forEach((one) => one.addEventListener("change", show));
    live.addEventListener("change", note);
    live.addEventListener("submit", (event) => event.preventDefault());
    show();
    if (location.hash.startsWith("#knob=")) recall();
  }
})();
