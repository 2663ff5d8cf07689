// The index of exhibits: search, facets, sorting and two pictures side by side. The state lives in the address, after #.
(() => {
  const PAGE = 60; // cards that are added at once
  const place = document.querySelector("[data-browser]");
  const form = place.querySelector("[data-browser-form]");
  const list = place.querySelector("[data-browser-cards]");
  const count = place.querySelector("[data-browser-count]");
  const more = place.querySelector("[data-browser-more]");
  const pair = place.querySelector("[data-browser-pair]");
  const { root, pages, index } = place.dataset;
  let all = [], names = {}, found = [], shown = 0, chosen = [], prompt = "";

  const key = (one) => `${one.exhibit}/${one.id}`;
  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };
  const printed = (score) => score.value.toFixed(score.digits).replace("-", "−");

  // -- the address -------------------------------------------------------------------------------------------------

  function read() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) if (field.name) field.value = state.get(field.name) || "";
    chosen = (state.get("compare") || "").split(",").filter(Boolean).slice(0, 2);
    prompt = state.get("prompt") || "";
  }

  function write() {
    const state = new URLSearchParams();
    for (const field of form.elements) if (field.name && field.value) state.set(field.name, field.value);
    if (prompt) state.set("prompt", prompt);
    if (chosen.length) state.set("compare", chosen.join(","));
    const text = state.toString();
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  }

  // -- what matches ------------------------------------------------------------------------------------------------

  function select() {
    const words = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...form.querySelectorAll("[data-facet]")].filter((one) => one.value).map((one) => [one.name, one.value]);
    found = all.filter((one) => (!prompt || one.prompt === prompt)
      && wanted.every(([facet, value]) => one.facets[facet]?.includes(value))
      && words.every((word) => one.text.includes(word)));
    const sort = form.elements.sort.value, score = sort.replace("-", ""), turn = sort.startsWith("-") ? -1 : 1;
    if (sort) {
      const value = (one) => one.scores?.[score]?.value;
      found = found.map((one, at) => ({ one, at, value: value(one) })).sort((a, b) =>
        (a.value === undefined) - (b.value === undefined) || turn * (a.value - b.value) || a.at - b.at).map(({ one }) => one);
    }
  }

  function show() {
    select();
    list.replaceChildren();
    shown = 0;
    grow();
    const same = prompt ? ` with the prompt “${prompt}”` : "";
    count.textContent = `${found.length} of ${all.length} pictures${same}`;
    drawPair();
  }

  function grow() {
    const next = found.slice(shown, shown + PAGE);
    list.append(...next.map(card));
    shown += next.length;
    more.hidden = shown >= found.length;
    if (!more.hidden) more.textContent = `Show more (${found.length - shown})`;
  }

  // -- cards -------------------------------------------------------------------------------------------------------

  function picture(one, size) {
    if (!one.thumbnail) return element("span", { className: "browser-bare", textContent: "no picture in this copy" });
    const { src, width, height } = one.thumbnail;
    return element("img", { src: root + src, width, height, alt: one.alt, loading: "lazy", decoding: "async", className: size });
  }

  const scores = (one) => element("dl", { className: "browser-scores" }, ...Object.entries(one.scores || {}).map(([name, score]) =>
    element("div", {}, element("dt", { textContent: names[name] }), element("dd", { textContent: printed(score) }))));

  function card(one) {
    const box = element("input", { type: "checkbox", checked: chosen.includes(key(one)) });
    box.dataset.compare = key(one);
    const link = element("a", { href: `${pages}${one.exhibit}.html` }, picture(one), element("span", { className: "browser-title", textContent: one.title }));
    const label = element("span", { className: "browser-label", textContent: one.label });
    const tools = element("p", { className: "browser-tools" }, element("label", {}, box, " compare", element("span", { className: "unseen", textContent: ` ${one.title}, ${one.label}` })));
    if (one.prompt && one.siblings > 1) {
      const same = element("button", { type: "button", textContent: `same prompt (${one.siblings})` });
      same.dataset.prompt = one.prompt;
      tools.append(same);
    }
    return element("li", { className: "browser-card" }, link, label, scores(one), tools);
  }

  // -- two side by side --------------------------------------------------------------------------------------------

  function drawPair() {
    const two = chosen.map((name) => all.find((one) => key(one) === name)).filter(Boolean);
    pair.hidden = two.length === 0;
    if (pair.hidden) return pair.replaceChildren();
    const title = element("h2", { id: "browser-pair-title", textContent: two.length === 2 ? "Side by side" : "Choose a second picture to compare" });
    const close = element("button", { type: "button", textContent: "Close" });
    close.dataset.close = "";
    const sides = two.map((one) => element("figure", {}, element("a", { href: `${pages}${one.exhibit}.html` }, picture(one)),
      element("figcaption", {}, element("p", { className: "browser-title", textContent: `${one.title}, ${one.label}` }),
        ...(one.prompt ? [element("blockquote", { className: "prompt" }, element("p", { textContent: one.prompt }))] : []), scores(one))));
    pair.replaceChildren(element("div", { className: "browser-pair-head" }, title, close), element("div", { className: "browser-sides" }, ...sides));
  }

  function choose(name, on) {
    chosen = on ? [...chosen, name].slice(-2) : chosen.filter((one) => one !== name);
    for (const box of list.querySelectorAll("[data-compare]")) box.checked = chosen.includes(box.dataset.compare);
    write();
    drawPair();
  }

  // -- what a reader does ------------------------------------------------------------------------------------------

  const changed = () => { write(); show(); };
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => { prompt = ""; chosen = []; setTimeout(changed); });
  more.addEventListener("click", grow);
  list.addEventListener("change", (event) => { if (event.target.dataset.compare) choose(event.target.dataset.compare, event.target.checked); });
  list.addEventListener("click", (event) => { if (event.target.dataset.prompt) { prompt = event.target.dataset.prompt; changed(); } });
  pair.addEventListener("click", (event) => { if ("close" in event.target.dataset) { chosen = []; write(); show(); } });
  addEventListener("hashchange", () => { read(); show(); });
  new IntersectionObserver((entries) => { if (!more.hidden && entries.some((one) => one.isIntersecting)) grow(); }, { rootMargin: "600px" }).observe(more);

  // Arrow keys go from card to card; up and down by the number of columns.
  list.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll(".browser-card > a")], at = links.indexOf(event.target.closest("a"));
    if (at < 0) return;
    const top = (one) => one.parentElement.offsetTop;
    const columns = links.findIndex((one) => top(one) > top(links[0]));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const next = step && links[at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  function start({ scores: labels, pictures }) {
    names = labels;
    const counts = new Map();
    for (const one of pictures) if (one.prompt) counts.set(one.prompt, (counts.get(one.prompt) || 0) + 1);
    all = pictures.map((one) => ({ ...one, facets: one.facets || {}, siblings: counts.get(one.prompt) || 0, text: `${one.title} ${one.label} ${one.prompt || ""}`.toLowerCase() }));
    form.removeAttribute("data-waiting");
    read();
    show();
  }

  fetch(index).then((answer) => answer.json()).then(start).catch(() => {
    form.hidden = true;
    count.textContent = "The search could not be loaded; all exhibits are listed below.";
  });
})();
