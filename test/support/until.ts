import type { Client } from "@porchlight/core/client";

/** Resolves when something holds of a client, now or after something has happened to it. */
export function until(client: Client, holds: () => boolean): Promise<void> {
  if (holds()) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = client.subscribe(() => {
      if (!holds()) return;
      stop();
      resolve();
    });
  });
}
