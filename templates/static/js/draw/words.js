// The language of the shipped model: words to token ids, prompts from menus, and what to say to a word it never learnt.

const MARKS = /<pad>|<unk>|<bos>|<eos>/u; // special tokens, which the tokenizer also reads in a text
// Code points of punctuation that the tokenizer, whose tables are of Unicode 8, takes for letters: added or moved there since.
const LATER = `
  61d 9fd a76 c77 c84 1b4e-1b4f 1b7d-1b7f 2e43-2e4f 2e52-2e5d 10d6e 10ead 10ed0 10f55-10f59 10f86-10f89
  113d4-113d5 113d7-113d8 1144b-1144f 1145a-1145b 1145d 11660-1166c 116b9 1183b 11944-11946 119e2
  11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 11c41-11c45 11c70-11c71 11ef7-11ef8 11f43-11f4f
  11fff 12ff1-12ff2 16d6d-16d6f 16e97-16e9a 16fe2 1e5ff 1e95e-1e95f
`.trim().replaceAll(/[0-9a-f]+/g, "\\u{$&}").replaceAll(/\s+/g, "");
const MARK = `(?:(?![${LATER}])[\\p{P}$+<=>^\`|~\\u{166d}\\u{111c9}])`; // the last two were punctuation then
const PARTS = new RegExp(`(?:(?!${MARK})\\P{White_Space})+|${MARK}`, "gu");

// Words and punctuation marks in lower case. Letters are lowered one by one, as the tokenizer does.
export function split(text) {
  return [...text].map((letter) => letter.toLowerCase()).join("").match(PARTS) ?? [];
}

function tokens(text, { ids, special }) {
  const mark = MARKS.exec(text);
  const plain = (piece) => split(piece).map((word) => ids[word] ?? special.unknown);
  if (!mark) return plain(text);
  const before = text.slice(0, mark.index), after = text.slice(mark.index + mark[0].length);
  return [...plain(before), ids[mark[0]], ...tokens(after, { ids, special })];
}

// Token ids, begun, ended and filled up to the length that the model reads.
export function encode(text, vocabulary) {
  const { length, special } = vocabulary;
  const inner = tokens(text, vocabulary).slice(0, length - 2);
  const row = new Array(length).fill(special.pad);
  [special.begin, ...inner, special.end].forEach((id, at) => { row[at] = id; });
  return row;
}

// Words of `text` that do not fit.
export function tooMany(text, vocabulary) {
  return split(text).slice(vocabulary.length - 2);
}

function distance(one, other) { // Levenshtein
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] !== other[j - 1]));
    }
    row = next;
  }
  return row.at(-1);
}

// Each word that the model does not know, with the nearest one that it knows; null when none is near.
export function unknown(text, { ids }) {
  const known = Object.keys(ids).filter((word) => !MARKS.test(word));
  const strange = new Set(split(text).filter((word) => !known.includes(word)));
  return [...strange].map((word) => {
    const near = known.map((other) => [distance(word, other), other]).sort((a, b) => a[0] - b[0])[0];
    return [word, near && near[0] <= Math.max(1, word.length / 2.5) ? near[1] : null];
  });
}

// A prompt from a pattern like "{subject}[ and {second}] {place}": brackets fall away when a menu in them is empty.
export function compose(pattern, chosen) {
  const inner = /\[([^[\]]*)\]/;
  let text = pattern;
  while (inner.test(text)) {
    text = text.replace(inner, (_, part) => ([...part.matchAll(/\{(\w+)\}/g)].every(([, menu]) => chosen[menu]) ? filled(part, chosen) : ""));
  }
  return filled(text, chosen).replace(/\ba\(n\) (?=(\w))/g, (_, letter) => ("aeiou".includes(letter) ? "an " : "a "));
}

function filled(text, chosen) {
  return text.replace(/\{(\w+)\}/g, (_, menu) => chosen[menu] ?? "");
}
