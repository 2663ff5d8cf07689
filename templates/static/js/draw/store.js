// Files of the model, kept by the browser after the first load. Names carry a hash, so that what is there is right.

import { unpack } from "./lzma.js";

const NAME = "draw";

// Fetch what is missing, several megabytes in all; `told(bytes)` counts what has come, kept or fetched.
export async function keep(addresses, told, signal) {
  const cache = await caches.open(NAME);
  for (const address of addresses) {
    const kept = await cache.match(address);
    if (kept) {
      told((await kept.blob()).size);
      continue;
    }
    const response = await fetch(address, { signal });
    if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
    const pieces = [];
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      told(value.length);
    }
    await cache.put(address, new Response(new Blob(pieces)));
  }
}

// Forget files of the model that this page no longer asks for.
export async function tidy(folder, addresses) {
  const cache = await caches.open(NAME);
  for (const { url } of await cache.keys()) {
    if (url.startsWith(folder) && !addresses.includes(url)) await cache.delete(url);
  }
}

// One file from its kept parts, unpacked. A host may have unpacked gzip already: then it does not begin as gzip does.
export async function whole(addresses) {
  const cache = await caches.open(NAME);
  const parts = await Promise.all(addresses.map(async (address) => (await cache.match(address)).blob()));
  const joined = new Blob(parts);
  if (addresses[0].endsWith(".lzma")) return unpack(new Uint8Array(await joined.arrayBuffer()));
  const [one, two] = new Uint8Array(await joined.slice(0, 2).arrayBuffer());
  const plain = one === 0x1f && two === 0x8b ? joined.stream().pipeThrough(new DecompressionStream("gzip")) : joined.stream();
  return new Uint8Array(await new Response(plain).arrayBuffer());
}
