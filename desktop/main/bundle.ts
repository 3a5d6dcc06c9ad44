import { readFile } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";
import { net, protocol } from "electron";
import { isOwn, SCHEME } from "./origin.ts";
import { contentSecurityPolicy } from "./policy.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** Where the view is taken from. */
export interface BundleSource {
  /** The folder of the built view. */
  readonly folder: string;
  /** The address of Vite, which has the view in its place while it is being developed. */
  readonly development: string | undefined;
  /** The server of whoever is signed in. Asked for each response. */
  server(): string | undefined;
}

/** Makes the scheme one that has origins, is secure, and can be fetched from. Has to be called before the app is ready. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

/** Serves the view under its own scheme. */
export function serveBundle(source: BundleSource): void {
  protocol.handle(SCHEME, (request) => respond(source, request));
}

async function respond(source: BundleSource, request: Request): Promise<Response> {
  const headers = new Headers({
    "content-security-policy": contentSecurityPolicy(source.server(), source.development),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  if (request.method !== "GET") return new Response(null, { status: 405, headers });
  if (!isOwn(request.url)) return new Response(null, { status: 404, headers });
  const { pathname, search } = new URL(request.url);
  if (source.development !== undefined) {
    const from = await net.fetch(new URL(source.development).origin + pathname + search);
    headers.set("content-type", from.headers.get("content-type") ?? "application/octet-stream");
    return new Response(from.body, { status: from.status, headers });
  }
  const path = fileIn(source.folder, pathname);
  const file = path === undefined ? undefined : await contentOf(path);
  if (path === undefined || file === undefined) return new Response(null, { status: 404, headers });
  headers.set("content-type", TYPES[extname(path)] ?? "application/octet-stream");
  return new Response(file, { headers });
}

/** The file that a path names; nothing for one that leads, or could lead, out of the folder. */
function fileIn(folder: string, pathname: string): string | undefined {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
  const file = normalize(join(folder, path === "/" ? "index.html" : path));
  return file.startsWith(normalize(folder) + sep) ? file : undefined;
}

async function contentOf(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(file));
  } catch {
    // Whatever cannot be read, as a folder, is not there for the view.
    return undefined;
  }
}
