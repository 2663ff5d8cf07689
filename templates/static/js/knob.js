// The knob reads the filmstrips that stand below it: one strip a prompt, one picture a strength and algorithm.
(() => {
  for (const knob of document.querySelectorAll("[data-knob]")) {
    const live = knob.querySelector(".knob-live");
    knob.querySelector(".knob-all > summary").after(knob.querySelector(".knob-first > .knob-film"));
    const films = [...knob.querySelectorAll(".knob-film")];
    const prompt = live.querySelector("[data-knob-prompt]");
    const arms = [...live.querySelectorAll("input[data-knob-arm]")];
    const range = live.querySelector("input[type=range]");
    const place = live.querySelector(".knob-picture");
    const scores = live.querySelector(".knob-scores");
    const said = live.querySelector(".knob-said");
    const strength = live.querySelector(".knob-strength");
    const strengths = range.dataset.strengths.split(" ").map(Number);

    function cell() {
      const film = films[prompt.selectedIndex];
      const arm = arms.find((one) => one.checked);
      const at = strengths[Number(range.value)];
      const cells = [...film.querySelectorAll(".knob-cell")].filter((one) => Number(one.dataset.alignment) === at);
      return cells.find((one) => !arm || one.dataset.arm === arm.value) || cells[0] || null;
    }

    function show() {
      const at = strengths[Number(range.value)];
      const found = cell();
      range.setAttribute("aria-valuetext", at === 0 ? "0, the base model" : String(at));
      strength.textContent = at === 0 ? "0, the base model" : String(at);
      if (!found) return;
      const picture = found.querySelector("picture").cloneNode(true);
      const image = picture.querySelector("img");
      image.loading = "eager";
      const frame = document.createElement("a");
      frame.href = found.querySelector("a[data-permalink]").href;
      frame.append(picture);
      place.replaceChildren(frame);
      scores.replaceChildren(...[...found.querySelectorAll(".scores")].map((one) => one.cloneNode(true)));
      said.textContent = found.dataset.said || "";
    }

    function ahead() { // the neighbours of the shown picture, so that turning the knob does not flicker
      const film = films[prompt.selectedIndex];
      film.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
    }

    range.addEventListener("input", show);
    range.addEventListener("pointerdown", ahead, { once: true });
    range.addEventListener("keydown", ahead, { once: true });
    prompt.addEventListener("change", show);
    arms.forEach((one) => one.addEventListener("change", show));
    live.addEventListener("submit", (event) => event.preventDefault());
    show();
  }
})();
