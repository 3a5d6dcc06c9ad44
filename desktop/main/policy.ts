/** Whom the view may ask before it is known which server it has: the address is tried from the form. */
const ANY_SERVER = "https: http://127.0.0.1:* http://localhost:*";

/**
 * What the view may load and whom it may reach.
 * @param server the address of the server, once somebody is signed in.
 * @param development the address of Vite, whose client writes styles into the
 * page; only where the view comes from there.
 */
export function contentSecurityPolicy(
  server: string | undefined,
  development: string | undefined,
): string {
  const origin = server === undefined ? undefined : new URL(server).origin;
  const reached = [
    origin === undefined ? ANY_SERVER : `${origin} ${socketsOf(origin)}`,
    ...(development === undefined ? [] : [socketsOf(development)]),
  ];
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self'${development === undefined ? "" : " 'unsafe-inline'"}`,
    `img-src 'self' data:${origin === undefined ? "" : ` ${origin}`}`,
    "font-src 'self'",
    `connect-src ${development === undefined ? "" : "'self' "}${reached.join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** The origin of a server's WebSockets. */
function socketsOf(url: string): string {
  return new URL(url).origin.replace(/^http/, "ws");
}
