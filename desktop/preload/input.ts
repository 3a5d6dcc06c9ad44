const INPUTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;
/** Input is told so often at most. */
const TELL_EVERY_MS = 1_000;

/** Tells of input that a person made in this window. */
export function watchInput(tell: () => void): void {
  let toldAt = Number.NEGATIVE_INFINITY;
  const heed = (event: Event): void => {
    if (!event.isTrusted || performance.now() < toldAt + TELL_EVERY_MS) return;
    toldAt = performance.now();
    tell();
  };
  for (const type of INPUTS) addEventListener(type, heed, { passive: true, capture: true });
}
