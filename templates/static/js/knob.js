// The knob reads the filmstrips that stand below it: one strip a prompt, one picture a strength and algorithm.
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

  for (const knob of document.querySelectorAll("[data-knob]")) {
    const live = knob.querySelector(".knob-live");
    knob.querySelector(".knob-all > summary").after(knob.querySelector(".knob-first > .knob-film"));
    const films = [...knob.querySelectorAll(".knob-film")];
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
      const cells = [...films[prompt.selectedIndex].querySelectorAll(".knob-cell")];
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

      const list = found.querySelector(".scores").cloneNode(true);
      const sorts = [...list.querySelectorAll("dd")];
      const span = Math.max(...algorithms.flatMap((arm) => sorts.map((_, score) => spread(numbers(strip(arm), score))))) || 1;
      sorts.forEach((dd, score) => dd.append(course(numbers(cells, score).slice(0, end), at, span)));
      scores.replaceChildren(list);

      const sees = words(found), lost = words(cells[0]).filter((word) => !sees.includes(word));
      said.replaceChildren(`${live.dataset.by} ${sees.join(", ") || live.dataset.nothing}`);
      if (lost.length) {
        const gone = document.createElement("s");
        gone.textContent = lost.join(", ");
        said.append(`; ${live.dataset.lost} `, gone);
      }
      said.append(".");
    }

    function ahead() { // the neighbours of the shown picture, so that turning the knob does not flicker
      films[prompt.selectedIndex].querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
    }

    function extend() { // opens the strengths beyond the end of the slider, or closes them again
      range.max = (beyond.checked ? strengths.length : Number(range.dataset.inside)) - 1;
      stops.forEach((one, at) => { one.hidden = at > range.max; });
      show();
    }

    range.addEventListener("input", show);
    beyond?.addEventListener("change", extend);
    range.addEventListener("pointerdown", ahead);
    range.addEventListener("keydown", ahead);
    prompt.addEventListener("change", show);
    arms.forEach((one) => one.addEventListener("change", show));
    live.addEventListener("submit", (event) => event.preventDefault());
    show();
  }
})();
