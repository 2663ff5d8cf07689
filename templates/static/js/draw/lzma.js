// Unpacks a .lzma file (LZMA 1 with its size in the header), which is a third smaller than gzip for WebAssembly and which
// no browser unpacks itself. https://github.com/jljusten/LZMA-SDK/blob/master/DOC/lzma-specification.txt

const START = 1024; // a bit of even odds; probabilities are of 2048

class RangeDecoder {
  constructor(packed, at) { // the first byte is always 0
    this.packed = packed;
    this.at = at + 5;
    this.range = 0xffffffff;
    this.code = new DataView(packed.buffer, packed.byteOffset).getUint32(at + 1);
  }

  #shift() {
    if (this.range >= 0x1000000) return;
    this.range *= 256;
    this.code = this.code * 256 + this.packed[this.at++];
  }

  bit(odds, at) {
    const odd = odds[at], bound = (this.range >>> 11) * odd, one = this.code >= bound;
    if (one) {
      this.range -= bound;
      this.code -= bound;
      odds[at] = odd - (odd >>> 5);
    } else {
      this.range = bound;
      odds[at] = odd + ((2048 - odd) >>> 5);
    }
    this.#shift();
    return one ? 1 : 0;
  }

  tree(odds, at, bits) { // highest bit first
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | this.bit(odds, at + node);
    return node - (1 << bits);
  }

  reverse(odds, at, bits) { // lowest bit first
    let node = 1, value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(odds, at + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  even(bits) { // without a model
    let value = 0;
    for (let i = 0; i < bits; i++) {
      this.range >>>= 1;
      const one = this.code >= this.range;
      if (one) this.code -= this.range;
      this.#shift();
      value = 2 * value + (one ? 1 : 0);
    }
    return value;
  }
}

const fresh = (count) => new Uint16Array(count).fill(START);

export function unpack(packed) {
  const literalContext = packed[0] % 9, literalPlace = Math.floor(packed[0] / 9) % 5, place = Math.floor(packed[0] / 45);
  const out = new Uint8Array(new DataView(packed.buffer, packed.byteOffset).getUint32(5, true));
  const coder = new RangeDecoder(packed, 13);
  const literals = fresh(0x300 << (literalContext + literalPlace));
  const isMatch = fresh(192), isRepeat = fresh(12), isSecond = fresh(12), isThird = fresh(12), isFourth = fresh(12), isLong = fresh(192);
  const slots = fresh(256), near = fresh(115), align = fresh(16), lengths = fresh(514), repeatLengths = fresh(514);
  let state = 0, last = [0, 0, 0, 0], end = 0;

  const literal = () => {
    const before = end ? out[end - 1] : 0, where = (end & ((1 << literalPlace) - 1)) << literalContext;
    const at = 0x300 * (where + (before >> (8 - literalContext)));
    let symbol = 1;
    if (state >= 7) { // after a match, told by the byte that would have continued it
      for (let other = out[end - last[0] - 1], same = true; same && symbol < 0x100; other <<= 1) {
        const expected = (other >> 7) & 1, bit = coder.bit(literals, at + ((1 + expected) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        same = bit === expected;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | coder.bit(literals, at + symbol);
    out[end++] = symbol;
    state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  };

  const length = (odds, here) => {
    if (!coder.bit(odds, 0)) return 2 + coder.tree(odds, 2 + (here << 3), 3);
    if (!coder.bit(odds, 1)) return 10 + coder.tree(odds, 130 + (here << 3), 3);
    return 18 + coder.tree(odds, 258, 8);
  };

  const distance = (long) => {
    const slot = coder.tree(slots, Math.min(long - 2, 3) << 6, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1, far = (2 | (slot & 1)) << bits;
    return far + (slot < 14 ? coder.reverse(near, far - slot, bits) : 16 * coder.even(bits - 4) + coder.reverse(align, 0, 4));
  };

  const repeated = (here) => { // one of the last four distances, moved to the front
    let which = 0;
    if (coder.bit(isSecond, state)) which = coder.bit(isThird, state) ? 2 + coder.bit(isFourth, state) : 1;
    else if (!coder.bit(isLong, (state << 4) + here)) {
      state = state < 7 ? 9 : 11;
      return 1;
    }
    last = [last[which], ...last.filter((_, at) => at !== which)];
    const long = length(repeatLengths, here);
    state = state < 7 ? 8 : 11;
    return long;
  };

  const matched = (here) => {
    const long = length(lengths, here);
    last = [distance(long), ...last.slice(0, 3)];
    state = state < 7 ? 7 : 10;
    return long;
  };

  while (end < out.length) {
    const here = end & ((1 << place) - 1);
    if (!coder.bit(isMatch, (state << 4) + here)) {
      literal();
      continue;
    }
    const long = coder.bit(isRepeat, state) ? repeated(here) : matched(here);
    for (const stop = end + long; end < stop; end++) out[end] = out[end - last[0] - 1];
  }
  return out;
}
