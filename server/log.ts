/** Writes one line of JSON an event. Never hand it a token or what somebody wrote. */
export type Log = (
  level: "info" | "warn" | "error",
  event: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Logs to standard error, so that standard output is free for what a command prints. */
export const logToStderr: Log = (level, event, fields = {}) => {
  process.stderr.write(
    `${JSON.stringify({ ts: new Date().toISOString(), level, event, ...fields })}\n`,
  );
};

/** What a log line says of an error. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) };
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) };
  return { error: error.message, stack: error.stack, ...cause };
}
