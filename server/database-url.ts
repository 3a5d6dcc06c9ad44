/** Where a database is: in a file, or at the address of a PostgreSQL server. */
export type DatabaseUrl = { readonly file: string } | { readonly address: string };

/** What a URL of a database looks like, for whoever wrote another. */
export const DATABASE_URL_FORMS =
  'must be "sqlite:" and a file, such as sqlite:./porchlight.db, or the address of a PostgreSQL database, such as postgres://user:password@host:5432/database';

/** Reads the URL of a database; `undefined` for what is none. */
export function readDatabaseUrl(url: string): DatabaseUrl | undefined {
  const file = /^sqlite:(.+)$/.exec(url)?.[1];
  if (file !== undefined) return { file };
  return /^postgres(ql)?:\/\//.test(url) && URL.canParse(url) ? { address: url } : undefined;
}

/** The URL of a database as it may be shown: with no password in it. */
export function withoutPassword(url: string): string {
  if (url.startsWith("sqlite:")) return url;
  if (!URL.canParse(url)) return "an address that cannot be read";
  const shown = new URL(url);
  if (shown.password !== "") shown.password = "***";
  if (shown.searchParams.has("password")) shown.searchParams.set("password", "***");
  return shown.href;
}
