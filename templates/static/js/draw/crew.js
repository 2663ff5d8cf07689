// Workers that hold the model, and the drawing of pictures with them.

import { sample } from "./sampler.js";

const PREVIEW = 2; // a preview after so many steps

class Engine {
  constructor(script) {
    this.worker = new Worker(script, { type: "module" });
    this.waiting = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.error === undefined) resolve(data.result);
      else reject(new Error(data.error));
    };
    this.worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the worker stopped"));
    };
  }

  ask(call, given) {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, call, ...given });
    });
  }
}

// How many workers: each holds half a gigabyte.
function room() {
  const small = (navigator.deviceMemory ?? 8) < 4 || matchMedia("(pointer: coarse)").matches;
  return small || navigator.hardwareConcurrency < 2 ? 1 : 2;
}

export class Crew {
  constructor(script, model) {
    this.script = script;
    this.model = model;
  }

  // A graphics card has one worker. The processor has as many as there is room for, also when the card failed its trial.
  async load(runtime, models, trial) {
    const names = Object.keys(models), drawing = names.filter((name) => !["t5", "clip"].includes(name));
    this.engines = [];
    const start = (provider, names) => {
      const engine = new Engine(this.script);
      this.engines.push(engine);
      return engine.ask("load", { runtime: { ...runtime, provider }, models, trial, names });
    };
    const others = () => Promise.all(Array.from({ length: room() - 1 }, () => start("wasm", drawing)));
    const first = start(runtime.provider, names);
    if (runtime.provider === "wasm") await others();
    this.provider = await first;
    if (this.provider !== runtime.provider) await others();
  }

  read(rows) {
    return this.engines[0].ask("read", { rows });
  }

  // The workers of one picture of `count`: with fewer pictures than workers each half of the guidance has its own.
  #share(at, count) {
    return count === 1 ? this.engines : [this.engines[at % this.engines.length]];
  }

  // Draw wishes { seed, strength, texts } side by side. `show(at, step, pixels)` gets a preview now and then, and the end.
  async draw(wishes, show, signal) {
    await Promise.all(wishes.map((wish, at) => this.#one(wish, this.#share(at, wishes.length), (...made) => show(at, ...made), signal)));
  }

  async #one({ seed, strength, texts }, engines, show, signal) {
    const positions = this.model.side ** 2;
    const velocities = async (packed, waves) => {
      const given = { packed, waves, strength, positions };
      if (engines.length === 1) return engines[0].ask("velocities", { ...given, texts });
      return (await Promise.all(texts.map((text, half) => engines[half].ask("velocities", { ...given, texts: [text] })))).flat();
    };
    for await (const { step, packed, expected } of sample(this.model, seed, velocities)) {
      signal.throwIfAborted();
      const last = step === this.model.steps;
      const decoder = last ? this.model.final : this.model.preview;
      const pixels = last || step % PREVIEW === 0 ? await engines[0].ask("picture", { packed: expected, positions, decoder }) : null;
      signal.throwIfAborted();
      show(step, pixels);
    }
  }
}
