/** A function that does something a while after it was first called: calls until then change nothing. */
export function soon(afterMs: number, act: () => void): { (): void; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const call = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      act();
    }, afterMs);
  };
  return Object.assign(call, { cancel });
}
