/** The instant that stands for "indefinite": the last one that ISO 8601 writes with four digits of year. */
export const INDEFINITE_AT = 253_402_300_799_999;

/** Unix milliseconds as they are written on the wire: ISO 8601, UTC, milliseconds. */
export function isoOf(at: number): string {
  return new Date(at).toISOString();
}

/** {@link isoOf} where there may be no instant: `undefined` and null become null. */
export function isoOrNull(at: number | null | undefined): string | null {
  return at === undefined || at === null ? null : isoOf(at);
}
