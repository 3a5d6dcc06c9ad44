/** The scheme under which the app serves its own view. */
export const SCHEME = "porchlight-app";

/** Where the view comes from, and the only origin that is answered. */
export const ORIGIN = `${SCHEME}://bundle`;

/** The page of the view. */
export const PAGE = `${ORIGIN}/index.html`;

/** Whether a URL is of the view. `URL.origin` does not say it: it knows no origins of schemes like this. */
export function isOwn(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed?.protocol === `${SCHEME}:` && parsed.host === "bundle";
}
