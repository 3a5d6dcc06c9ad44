/** Every name under which main and the preload hear each other. */

/** What the view asks, and is answered. */
export const ASKED = {
  account: "porchlight:account",
  signIn: "porchlight:sign-in",
  signOut: "porchlight:sign-out",
  get: "porchlight:cache-get",
  put: "porchlight:cache-put",
  keys: "porchlight:cache-keys",
  clear: "porchlight:cache-clear",
} as const;

/** What the view says, without an answer. */
export const SAID = {
  /** It hears events from now on. */
  listening: "porchlight:listening",
  /** There was input in its window. */
  input: "porchlight:input",
  /** What it had to keep when it was told to is kept. */
  kept: "porchlight:kept",
  notify: "porchlight:notify",
  summarize: "porchlight:summarize",
} as const;

/** What the view is told: a `ShellEvent`. */
export const EVENT = "porchlight:event";

/** What the preload is handed when its window opens, among the arguments of its process. */
export const ARGUMENTS = {
  device: "--porchlight-device=",
  instance: "--porchlight-instance=",
} as const;
