/**
 * Chromium knows no schemes but its own: what main serves under one of the
 * app's, such as `app://bundle/`, the page has from `https://bundle.app.electron.test/`.
 */
const HOST = /^https:\/\/([^/.]+)\.([^/]+)\.electron\.test(?=\/|$)/;
const SCHEME = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]+)/;

/** What the page requests of an app's own schemes. */
export const INTERCEPTED = "https://*.electron.test/*";

/** The address as main sees it. */
export function seenByMain(url: string): string {
  return url.replace(HOST, "$2://$1");
}

/** The address as Chromium sees it. */
export function seenByChromium(url: string): string {
  const [whole = "", scheme = "", host] = SCHEME.exec(url) ?? [];
  const isWeb = ["", "http", "https"].includes(scheme);
  return isWeb ? url : `https://${host}.${scheme}.electron.test${url.slice(whole.length)}`;
}

/** The origin as Electron writes it, which knows those of an app's own schemes. */
export function originOf(url: string): string {
  const [origin = "null"] = SCHEME.exec(url) ?? [];
  return origin;
}
