// Serves the drawing pages without a network: what has a hash in its name from the cache, a page afresh if it can be had.
// It stands at the root, as the scripts that the pages ask for lie outside their folders, and leaves all other pages alone.
const HASHED = /-[0-9a-f]{10}\.\w+$/, PAGE = /\/draw\/(index\.html)?$/;

async function answer(request) {
  const kept = () => caches.match(request, { ignoreSearch: true });
  if (!PAGE.test(new URL(request.url).pathname)) return (await kept()) ?? fetch(request);
  return fetch(request).catch(async () => (await kept()) ?? Response.error());
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method === "GET" && origin === self.location.origin && (HASHED.test(pathname) || PAGE.test(pathname))) event.respondWith(answer(event.request));
});
