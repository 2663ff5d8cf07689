// A worker that holds the model. It answers calls: { id, call, ...arguments } with { id, result } or { id, error }.

import { whole } from "./store.js";

let ort, provider;
const sessions = {};

const tensor = (data, dims, kind = "float32") => new ort.Tensor(kind, data, dims);

async function session(parts, on = provider) {
  return ort.InferenceSession.create(await whole(parts), { executionProviders: [on], graphOptimizationLevel: "all" });
}

async function only(name, inputs) { // the one output of a model
  return Object.values(await sessions[name].run(inputs))[0];
}

// Does the graphics card compute what the processor computes? Transformer and decoder are tried with the same numbers.
async function agrees(models, trial) {
  for (const [name, shapes] of Object.entries(trial)) {
    const { strength, ...inputs } = Object.fromEntries(Object.entries(shapes).map(([input, dims]) => [input, waving(dims)]));
    if (strength) Object.assign(inputs, chosen(strength.data));
    const answers = [];
    for (const on of ["wasm", provider]) {
      const model = await session(models[name], on);
      answers.push(Object.values(await model.run(inputs))[0].data);
      await model.release();
    }
    if (!answers[0].every((value, at) => Math.abs(value - answers[1][at]) < 1e-3)) return false;
  }
  return true;
}

function waving(dims) {
  return tensor(Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)), dims);
}

// The places of the low-rank differences that take part: at strength 0 a single one, which adds nothing.
function chosen(strength) {
  const some = [...strength.keys()].filter((at) => strength[at]), places = some.length ? some : [0];
  return {
    places: tensor(BigInt64Array.from(places, BigInt), [places.length], "int64"),
    strength: tensor(Float32Array.from(places, (at) => strength[at]), [places.length]),
  };
}

const calls = {
  // The runtime and the models by name; says which provider computes.
  async load({ runtime, models, names, trial }) {
    ort = await import(runtime.script);
    ort.env.wasm.wasmPaths = { mjs: runtime.glue };
    ort.env.wasm.wasmBinary = await whole(runtime.binary);
    ort.env.wasm.numThreads = 1;
    provider = runtime.provider;
    if (provider !== "wasm" && !(await agrees(models, trial).catch(() => false))) provider = "wasm";
    for (const name of names) sessions[name] = await session(models[name]);
    return provider;
  },

  // Token ids, one row a text: what the transformer is told of each.
  async read({ rows }) {
    const ids = tensor(BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length], "int64");
    const states = await only("t5", { ids }), pooled = await only("clip", { ids });
    return rows.map((_, at) => ({ states: row(states, at), pooled: row(pooled, at), length: states.dims[1] }));
  },

  // What the transformer says of the same latents under each text.
  async velocities({ packed, waves, strength, texts, positions }) {
    const n = texts.length, states = joined(texts.map((text) => text.states)), pooled = joined(texts.map((text) => text.pooled));
    const velocity = await only("transformer", {
      packed: tensor(joined(texts.map(() => packed)), [n, positions, packed.length / positions]),
      waves: tensor(waves, [1, waves.length]),
      states: tensor(states, [n, texts[0].length, states.length / n / texts[0].length]),
      pooled: tensor(pooled, [n, pooled.length / n]),
      ...chosen(strength),
    });
    return texts.map((_, at) => row(velocity, at));
  },

  // Latents as a picture, RGBA.
  async picture({ packed, positions, decoder }) {
    const { data, dims } = await only(decoder, { packed: tensor(packed, [1, positions, packed.length / positions]) });
    const plane = dims[2] * dims[3], pixels = new Uint8ClampedArray(4 * plane).fill(255);
    for (let i = 0; i < plane; i++)
      for (let channel = 0; channel < 3; channel++)
        pixels[4 * i + channel] = 255 * (data[channel * plane + i] / 2 + 0.5); // clamped and rounded by the array
    return pixels;
  },
};

function row({ data, dims }, at) {
  const size = data.length / dims[0];
  return data.slice(at * size, (at + 1) * size);
}

function joined(arrays) {
  const all = new Float32Array(arrays.length * arrays[0].length);
  arrays.forEach((array, at) => all.set(array, at * array.length));
  return all;
}

onmessage = async ({ data: { id, call, ...given } }) => {
  try {
    postMessage({ id, result: await calls[call](given) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
};
