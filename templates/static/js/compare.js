// Two pictures under one range input. Without this script they hang side by side.
(() => {
  function overlay(pair) {
    const plates = pair.querySelectorAll(":scope > .plate");
    if (plates.length !== 2 || pair.querySelectorAll("img").length !== 2) return;
    const range = document.createElement("input");
    const line = document.createElement("span");
    range.type = "range";
    range.className = "compare-range";
    range.min = 0; range.max = 100; range.value = 50;
    range.setAttribute("aria-label", "Compare: " + pair.dataset.compare);
    line.className = "compare-line";
    const show = () => {
      pair.style.setProperty("--cut", range.value + "%");
      range.setAttribute("aria-valuetext", `${range.value} % of the first picture`);
    };
    range.addEventListener("input", show);
    pair.classList.add("comparing");
    pair.querySelectorAll(":scope > .plate > .frame").forEach((frame) => { frame.tabIndex = -1; }); // the slider is the one stop
    pair.append(line, range);
    const image = plates[0].querySelector("img");
    new ResizeObserver(([{ borderBoxSize }]) => pair.style.setProperty("--tall", borderBoxSize[0].blockSize + "px")).observe(image);
    show();
  }
  document.querySelectorAll("[data-compare]").forEach(overlay);

  // The catalogue: a severity of the strip fetches the treated picture of the slider above it.
  for (const strip of document.querySelectorAll(".specimen .strip")) {
    const treated = strip.closest(".specimen").querySelector("[data-treated]");
    const label = strip.closest(".specimen").querySelector("[data-severity-shown]");
    const links = [...strip.querySelectorAll("a[data-severity]")];
    const choose = (link) => {
      const image = treated.querySelector("img").cloneNode();
      image.src = link.href;
      image.alt = link.getAttribute("aria-label");
      image.loading = "eager";
      treated.querySelector(".frame").replaceChildren(image);
      treated.querySelector(".frame").href = link.href;
      label.textContent = link.dataset.severity;
      links.forEach((one) => one.removeAttribute("aria-current"));
      link.setAttribute("aria-current", "true");
    };
    links.find((link) => link.dataset.severity === label.textContent)?.setAttribute("aria-current", "true");
    strip.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-severity]");
      if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      choose(link);
    });
  }
})();
