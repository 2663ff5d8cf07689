// The page on which a reader draws: asks for the model only when told to, keeps it, and draws with and without alignment.

import { Crew } from "./crew.js";
import { withText } from "./png.js";
import { keep, tidy } from "./store.js";
import { compose, encode, tooMany, unknown } from "./words.js";

const form = document.querySelector("[data-draw]");
const { model, addresses, exhibits } = JSON.parse(document.querySelector("#draw-model").textContent);
const find = (name) => document.querySelector(`[data-draw-${name}]`);
const [prompt, seed, strength, button, cancel, status, loading] =
  ["prompt", "seed", "strength", "button", "cancel", "status", "loading"].map(find);
const menus = [...form.querySelectorAll("select")];
const figures = [...document.querySelectorAll("[data-draw-figure]")];
const absolute = (address) => new URL(address, document.baseURI).href;
const file = (name) => absolute(addresses.folder + name);
const drawn = new Map(); // recipes to pixels
let crew, running;

const say = (text) => { status.textContent = text; };
const family = () => form.elements.family.value;

// --- what is asked for ------------------------------------------------------------------------------------------------

function wishes() { // the base model's picture and the aligned one's
  const asked = { prompt: prompt.value.trim(), seed: Number(seed.value) };
  return [{ ...asked, alignment: 0, family: family() }, { ...asked, alignment: Number(strength.value), family: family() }];
}

function command({ prompt, alignment, family, seed }) {
  const parts = [`python build.py draw "${prompt}"`];
  if (alignment) parts.push(`--alignment ${alignment}`);
  if (alignment && family !== model.families[0].id) parts.push(`--family ${family}`);
  return [...parts, `--seed ${seed}`, "-o out.png"].join(" ");
}

function strengths({ alignment, family }) { // one number a place of the low-rank differences
  return Float32Array.from(model.families.flatMap(({ id, rank, unit }) => new Array(rank).fill(id === family ? alignment * unit : 0)));
}

// --- what is wrong with it --------------------------------------------------------------------------------------------

function faults() {
  const strange = unknown(prompt.value, model.vocabulary), over = tooMany(prompt.value, model.vocabulary);
  const found = strange.map(([word, near]) => [`“${word}” is not a word that the model knows`, word, near]);
  if (over.length) found.push([`too long by ${over.length}: “${over.join(" ")}” would not be read`]);
  if (!prompt.value.trim()) found.push(["nothing is asked for"]);
  if (!seed.checkValidity()) found.push(["the seed is a whole number from 0 to 4294967295"]);
  return found;
}

function check() {
  const found = faults();
  find("faults").replaceChildren(...found.map(([text, word, near]) => {
    const item = document.createElement("li");
    item.append(text);
    if (near) item.append("; the nearest is ", replacing(word, near));
    return item;
  }));
  prompt.setAttribute("aria-invalid", String(found.length > 0));
  button.disabled = found.length > 0;
  const [, aligned] = wishes();
  find("command").textContent = command(aligned);
  strength.setAttribute("aria-valuetext", `${aligned.alignment}${aligned.alignment > 1 ? ", over-optimised" : ""}`);
  find("at").textContent = aligned.alignment.toFixed(2);
  find("over").hidden = aligned.alignment <= 1;
  relatives(aligned.prompt);
  return found.length === 0;
}

function replacing(word, near) { // a button that puts the known word in
  const change = document.createElement("button");
  change.type = "button";
  change.textContent = near;
  change.addEventListener("click", () => {
    prompt.value = prompt.value.split(/([\p{P}\s$+<=>^`|~]+)/u).map((part) => (part.toLowerCase() === word ? near : part)).join("");
    prompt.focus();
    check();
  });
  return change;
}

function relatives(text) { // exhibits of the publication that show the same prompt
  const links = (exhibits[text] ?? []).map(([href, title]) => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = href;
    link.textContent = title;
    item.append(link);
    return item;
  });
  find("exhibits").replaceChildren(...links);
  find("related").hidden = links.length === 0;
}

// --- loading ----------------------------------------------------------------------------------------------------------

async function graphics() { // a real graphics card that the runtime can wait for
  if (!navigator.gpu || !("Suspending" in WebAssembly)) return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
}

async function load(signal) {
  const provider = (await graphics()) ? "webgpu" : "wasm";
  const { script, glue, binary } = addresses.runtimes[provider];
  const models = Object.fromEntries(Object.entries(addresses.models).map(([name, parts]) => [name, parts.map(file)]));
  const runtime = { provider, script: file(script), glue: file(glue), binary: binary.map(file) };
  const files = [...Object.values(models).flat(), ...runtime.binary];
  let come = 0;
  loading.hidden = false;
  loading.max = addresses.bytes[provider];
  say("Loading the model.");
  await keep(files, (bytes) => { loading.value = come += bytes; }, signal);
  const others = Object.values(addresses.runtimes).flatMap((one) => one.binary.map(file));
  await tidy(absolute(addresses.folder), [...files, ...others]);
  say("Starting the model.");
  const team = new Crew(absolute(addresses.worker), model);
  await team.load(runtime, models, addresses.trial);
  crew = team;
  loading.hidden = true;
  find("cost").hidden = true;
  await offline([runtime.script, runtime.glue, ...addresses.scripts.map(absolute)]);
}

async function offline(more) { // the page itself, with all that it asks for, for a visit without a network
  if (!("serviceWorker" in navigator)) return;
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name).filter((url) => url.startsWith(location.origin));
  const cache = await caches.open("draw-page");
  await cache.addAll([...new Set([location.href.split("#")[0], ...loaded, ...more])].filter((url) => !/\.(bin|lzma)$/.test(url)));
  await navigator.serviceWorker.register(absolute(addresses.offline)).catch(() => null);
}

// --- drawing ----------------------------------------------------------------------------------------------------------

function show(at, step, pixels) {
  const figure = figures[at], progress = figure.querySelector("progress");
  progress.value = step;
  if (!pixels) return;
  const canvas = figure.querySelector("canvas");
  canvas.getContext("2d").putImageData(new ImageData(pixels, canvas.width), 0, 0);
  figure.dataset.step = step;
}

function label(at, wish, seconds) {
  const figure = figures[at], name = wish.alignment ? `aligned, strength ${wish.alignment}` : "base model";
  figure.querySelector("canvas").setAttribute("aria-label", `${wish.prompt}: ${name}, seed ${wish.seed}`);
  figure.querySelector("[data-draw-time]").textContent = seconds === undefined ? "" : `${seconds.toFixed(1)} s`;
}

async function draw() {
  if (!check()) return;
  running?.abort(new DOMException("another drawing began", "AbortError"));
  const mine = running = new AbortController();
  cancel.hidden = false;
  try {
    if (!crew) await load(mine.signal);
    await make(wishes(), mine.signal);
  } catch (error) {
    if (mine.signal.aborted) {
      if (running === mine) say("Cancelled.");
    } else {
      say(`It failed: ${error.message}`);
      console.error(error);
    }
  } finally {
    if (running === mine) {
      cancel.hidden = true;
      running = undefined;
    }
  }
}

const keyOf = (wish) => JSON.stringify(wish.alignment ? wish : { ...wish, family: "" });

async function make(both, signal) {
  const lanes = both.map((wish, at) => ({ wish, at })).filter(({ wish, at }) => {
    const known = drawn.get(keyOf(wish));
    if (known) finish(at, wish, known);
    return !known;
  });
  if (!both[1].alignment) lanes.splice(1); // at strength 0 both are the base model
  if (lanes.length) await render(lanes, signal);
  if (!both[1].alignment) finish(1, both[1], drawn.get(keyOf(both[0])));
  const times = both.map((wish) => `${drawn.get(keyOf(wish)).seconds.toFixed(1)} s`);
  say(`Done: base in ${times[0]}, aligned in ${times[1]}, on this machine (${crew.provider}, ${crew.engines.length} at once).`);
}

async function render(lanes, signal) {
  say("Drawing.");
  const began = performance.now(), seconds = () => (performance.now() - began) / 1000;
  const texts = await crew.read(["", lanes[0].wish.prompt].map((text) => encode(text, model.vocabulary)));
  const asked = lanes.map(({ wish }) => ({ seed: wish.seed, strength: strengths(wish), texts }));
  await crew.draw(asked, (lane, step, pixels) => {
    const { at, wish } = lanes[lane];
    show(at, step, pixels);
    if (step === model.steps) {
      drawn.set(keyOf(wish), { pixels, seconds: seconds() });
      finish(at, wish, drawn.get(keyOf(wish)));
    } else label(at, wish, seconds());
  }, signal);
}

async function finish(at, wish, { pixels, seconds }) {
  show(at, model.steps, pixels);
  label(at, wish, seconds);
  const link = figures[at].querySelector("[data-draw-download]"), canvas = figures[at].querySelector("canvas");
  const recipe = { ...wish, command: command(wish), revision: model.revision, steps: model.steps, guidance: model.guidance, provider: crew.provider };
  const png = await new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(withText(new Uint8Array(await png.arrayBuffer()), "Comment", JSON.stringify(recipe)));
  link.download = `${wish.alignment ? `aligned-${wish.alignment}` : "base"}-${wish.seed}.png`;
  link.hidden = false;
}

// --- controls ---------------------------------------------------------------------------------------------------------

menus.forEach((menu) => menu.addEventListener("change", () => {
  prompt.value = compose(model.pattern, Object.fromEntries(menus.map(({ name, value }) => [name, value])));
  check();
}));
[prompt, seed, strength].forEach((field) => field.addEventListener("input", check));
form.addEventListener("change", ({ target }) => {
  if (target === prompt) return; // told on input; a list made anew here would miss the click that left the field
  check();
  if (crew && (target === strength || target.name === "family")) draw(); // the slider is live once the model is there
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  draw();
});
cancel.addEventListener("click", () => running?.abort(new DOMException("cancelled", "AbortError")));
form.style.setProperty("--one", `${100 / strength.max}%`); // where the over-optimised end of the slider begins
find("dice").addEventListener("click", () => {
  seed.value = crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;
  check();
});
check();
