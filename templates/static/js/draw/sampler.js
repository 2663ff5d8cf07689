// Rectified flow in Euler steps with classifier-free guidance, as FluxPipeline runs it in `draw`.

import { gaussian } from "./noise.js";

const f32 = Math.fround;

// Noise levels from 1 down to 0, one more than there are steps.
export function levels(steps, shift) {
  const even = Array.from({ length: steps }, (_, i) => 1 - i / steps);
  return Float32Array.from([...even.map((s) => shift * s / (1 + (shift - 1) * s)), 0]);
}

// How the transformer is told the noise level: cosines, then sines, of waves of falling speed.
export function waves(level, count = 256) {
  const half = count / 2;
  const out = new Float32Array(count);
  for (let i = 0; i < half; i++) {
    const angle = f32(f32(level * 1000) * f32(Math.exp(f32(-Math.log(10000) * i / half))));
    out[i] = Math.cos(angle);
    out[half + i] = Math.sin(angle);
  }
  return out;
}

// Noise of a seed in the order in which the transformer reads a latent picture: two by two positions at once.
export function start(seed, channels, side) {
  const noise = gaussian(seed, channels * 4 * side * side);
  const packed = new Float32Array(noise.length), wide = 2 * side;
  let at = 0;
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      for (let channel = 0; channel < channels; channel++)
        for (let y = 0; y < 2; y++)
          for (let x = 0; x < 2; x++)
            packed[at++] = noise[(channel * wide + 2 * row + y) * wide + 2 * column + x];
  return packed;
}

// Yields after each step: its number, the latents, and the latents that are expected at the end.
// `velocities(packed, waves)` gives what the transformer says without and with the prompt.
export async function* sample({ steps, shift, guidance, channels, side }, seed, velocities) {
  const level = levels(steps, shift);
  let packed = start(seed, channels, side);
  for (let step = 0; step < steps; step++) {
    const [away, toward] = await velocities(packed, waves(level[step]));
    const stride = f32(level[step + 1] - level[step]), rest = level[step + 1];
    const next = new Float32Array(packed.length), expected = new Float32Array(packed.length);
    for (let i = 0; i < packed.length; i++) {
      const speed = f32(away[i] + f32(guidance * f32(toward[i] - away[i])));
      next[i] = packed[i] + f32(stride * speed);
      expected[i] = next[i] - rest * speed;
    }
    packed = next;
    yield { step: step + 1, packed, expected };
  }
}
