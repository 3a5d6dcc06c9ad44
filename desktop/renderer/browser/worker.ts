/**
 * Keeps the page itself, so that it opens without a network. What is kept is
 * answered at once; when the page is opened, all of it is asked for anew, and
 * taken up only as a whole.
 */

/** What is used of the place in which a service worker runs. */
interface Place {
  readonly registration: { readonly scope: string };
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "fetch", listener: (event: Asked) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}

interface Extendable {
  waitUntil(done: Promise<unknown>): void;
}

interface Asked extends Extendable {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const KEPT = "page";
const FILES = [
  "./",
  "./app/main.js",
  "./app/preload-helper.js",
  "./app/view.js",
  "./app/live.js",
  "./app/view.css",
  "./app/porch.svg",
] as const;

const place = globalThis as unknown as Place;

place.addEventListener("install", (event) => {
  event.waitUntil(renew().then(() => place.skipWaiting()));
});

place.addEventListener("activate", (event) => event.waitUntil(place.clients.claim()));

place.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = request.url.replace(/[?#].*$/, "");
  if (request.method !== "GET" || !addresses().includes(address)) return;
  event.respondWith(answer(address));
  if (request.mode === "navigate") event.waitUntil(renew().catch(() => {}));
});

async function answer(address: string): Promise<Response> {
  const kept = await (await caches.open(KEPT)).match(address);
  return kept ?? fetch(address);
}

/** Asks for everything, and keeps it if there is all of it. */
async function renew(): Promise<void> {
  const answers = await Promise.all(
    addresses().map(async (address) => {
      const response = await fetch(address, { cache: "no-cache" });
      if (!response.ok) throw new Error(`Cannot fetch ${address}`);
      return [address, response] as const;
    }),
  );
  const cache = await caches.open(KEPT);
  await Promise.all(answers.map(([address, response]) => cache.put(address, response)));
}

function addresses(): string[] {
  return FILES.map((file) => new URL(file, place.registration.scope).href);
}
