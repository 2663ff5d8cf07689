// Flipping keeps the reader's place: the part of the page nearest to the top of the window, and how far it is from there.
// Both copies have the same sections, exhibits, claims and tables, so the place exists in both. Claims beside a text are no
// landmarks: the clean copy keeps them in its margin.
(() => {
  const KEY = document.documentElement.dataset.paper + " place";
  const marks = ["data-exhibit", "data-claim", "data-table", "data-chart", "id"];
  const find = (place) => document.querySelectorAll(place.mark === "id" ? `[data-section][id="${CSS.escape(place.name)}"]` : `[${place.mark}="${CSS.escape(place.name)}"]`)[place.nth || 0];

  function here() {
    const line = innerHeight * 0.3;
    let best = null;
    for (const part of document.querySelectorAll("[data-section],[data-exhibit],.audit [data-claim],[data-table],[data-chart]")) {
      if (!part.checkVisibility()) continue;
      const box = part.getBoundingClientRect();
      if (box.height === 0 || box.top > line || box.bottom < 0) continue;
      const beside = best && part.hasAttribute("data-table") && box.top > best.top - 40; // a table speaks for the chart beside it
      if (!best || box.top > best.top + 40 || best.part.contains(part) || beside) best = { part, top: box.top };
    }
    if (!best) return null;
    const mark = marks.find((one) => best.part.hasAttribute(one) && (one !== "id" || best.part.hasAttribute("data-section")));
    const name = best.part.getAttribute(mark);
    const same = mark === "id" ? [] : [...document.querySelectorAll(`[${mark}="${CSS.escape(name)}"]`)];
    const section = best.part.closest("[data-section]");
    return { mark, name, nth: Math.max(0, same.indexOf(best.part)), top: best.top, section: section ? section.id : "" };
  }

  function flip(link) {
    const place = here();
    try {
      localStorage.setItem(document.documentElement.dataset.paper + " variant", link.dataset.flip);
      sessionStorage.setItem(KEY, JSON.stringify(place));
    } catch { /* the anchor below still gives the section */ }
    const state = document.querySelector("[data-keeps-state]") || location.hash.startsWith("#knob=") ? location.hash : "";
    location.href = link.href + (state || (place && place.section ? "#" + place.section : ""));
  }

  function arrive() {
    let place = null;
    try {
      place = JSON.parse(sessionStorage.getItem(KEY));
      sessionStorage.removeItem(KEY);
    } catch { return; }
    if (!place) return;
    const part = find(place);
    if (!part) return;
    const settle = () => scrollBy({ top: part.getBoundingClientRect().top - place.top, behavior: "instant" });
    let moved = false;
    const stop = () => { moved = true; };
    for (const kind of ["wheel", "touchstart", "keydown", "pointerdown"]) addEventListener(kind, stop, { once: true, passive: true });
    document.documentElement.dataset.whole = ""; // guessed heights of sections would move the place
    settle();
    requestAnimationFrame(settle);
    document.fonts.ready.then(() => requestAnimationFrame(() => { if (!moved) settle(); }));
  }

  // Once the page stands, all of it is laid out: guessed heights would move a place that a reader jumps to. A section a frame,
  // when nothing else is to do: all at once would hold up a phone. A machine that never is idle gets three seconds.
  const idle = window.requestIdleCallback ? (work) => requestIdleCallback(work, { timeout: 3000 }) : setTimeout;
  const layOut = (sections) => idle(() => {
    sections[0].dataset.whole = "";
    if (sections.length > 1) requestAnimationFrame(() => layOut(sections.slice(1)));
  });
  const far = document.querySelectorAll("main > [data-section]");
  if (far.length) addEventListener("load", () => layOut([...far]));

  const link = document.querySelector("[data-flip]");
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    flip(link);
  });
  document.addEventListener("flip", () => flip(link));
  if (document.readyState === "complete") arrive(); else addEventListener("load", arrive);
})();
