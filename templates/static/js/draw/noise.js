// The noise that a picture starts from: what torch.randn gives on the CPU for a generator of the same seed, so that a
// seed means the same picture in `draw` and here. Mersenne twister (mt19937), then Box-Muller over blocks of sixteen.

const N = 624, M = 397;

export class Twister {
  constructor(seed) {
    this.state = new Uint32Array(N);
    this.state[0] = seed >>> 0;
    for (let i = 1; i < N; i++) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(before, 1812433253) + i;
    }
    this.next = N;
  }

  #renew() {
    const state = this.state;
    for (let i = 0; i < N; i++) {
      const joined = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }

  bits() { // the next 32
    if (this.next === N) this.#renew();
    let y = this.state[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  uniform() { // in [0, 1), as torch makes a float32 of the lower 24 bits
    return (this.bits() & 0xffffff) / 0x1000000;
  }
}

// `count` standard normal numbers; a multiple of sixteen, as torch treats smaller and odd counts differently.
export function gaussian(seed, count) {
  if (count % 16) throw new RangeError(`${count} is not a multiple of 16`);
  const twister = new Twister(seed);
  const values = Float32Array.from({ length: count }, () => twister.uniform());
  for (let block = 0; block < count; block += 16) {
    for (let i = block; i < block + 8; i++) {
      const radius = Math.fround(Math.sqrt(-2 * Math.log(1 - values[i])));
      const angle = Math.fround(2 * Math.PI * values[i + 8]);
      values[i] = radius * Math.cos(angle);
      values[i + 8] = radius * Math.sin(angle);
    }
  }
  return values;
}
