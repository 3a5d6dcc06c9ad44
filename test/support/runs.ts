/** Whether the counts are the full ones. */
export const isLong = Boolean(process.env.PORCHLIGHT_TEST_LONG);

/** How long one property may take, in milliseconds: enough for the longest with twenty times its runs. */
export const TRIALS_TIMEOUT_MS = 900_000;

/** How often a property is tried: `usual` times, or twenty times that when PORCHLIGHT_TEST_LONG is set. */
export function runs(usual: number): number {
  return isLong ? usual * 20 : usual;
}

/** The parameters of a property: {@link runs}, and the seed of PORCHLIGHT_TEST_SEED where it is set. */
export function trials(usual: number): { numRuns: number; seed?: number } {
  const seed = process.env.PORCHLIGHT_TEST_SEED;
  return seed === undefined
    ? { numRuns: runs(usual) }
    : { numRuns: runs(usual), seed: Number(seed) };
}
