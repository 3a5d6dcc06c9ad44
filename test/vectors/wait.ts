/** Something that changed, and when. */
export type Happening<T> = T & { readonly at: number };

/** A register that has deadlines. */
interface Timed<T> {
  nextAt(): number | undefined;
  expire(now: number): T[];
}

const MOST = 10_000;

/** Does what a shell with one timer does: calls `expire` at each next deadline, up to and including `until`. */
export function happeningsUntil<T extends object>(
  register: Timed<T>,
  until: number,
): Happening<T>[] {
  const happened: Happening<T>[] = [];
  for (let woken = 0; woken < MOST; woken += 1) {
    const at = register.nextAt();
    if (at === undefined || at > until) return happened;
    happened.push(...register.expire(at).map((change) => ({ ...change, at })));
  }
  throw new RangeError(`The register wants to be woken more than ${MOST} times until ${until}`);
}
