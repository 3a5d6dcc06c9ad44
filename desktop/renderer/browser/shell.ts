import type { Account, Notice, Shell, ShellEvent } from "../../bridge.ts";
import { openIndexedDb } from "./indexed-db.ts";

const ACCOUNT = "porchlight.account";
const DEVICE = "porchlight.device";
const INSTANCE = "porchlight.instance";
const ACTIVITIES = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;
/** Input is told so often at most. */
const ACTIVE_EVERY_MS = 1_000;
const TICK_MS = 2_000;
/** A timer that is so late has slept with the machine. */
const SLEPT_MS = 15_000;

/** A tab of a browser. */
export function browserShell(): Shell {
  const listeners = new Set<(event: ShellEvent) => void>();
  const tell = (event: ShellEvent): void => {
    for (const hears of listeners) hears(event);
  };
  watchUser(tell);
  watchSleep(tell);
  const cache = openIndexedDb();
  return {
    kind: "browser",
    device_id: kept(localStorage, DEVICE),
    instance: instance(),
    server: location.origin,
    cache,
    account: async () => read(sessionStorage) ?? read(localStorage),
    signIn: async (account, remember) => {
      (remember ? localStorage : sessionStorage).setItem(ACCOUNT, JSON.stringify(account));
    },
    signOut: async () => {
      for (const storage of [localStorage, sessionStorage]) storage.removeItem(ACCOUNT);
      await cache.clear();
    },
    listen: (hears) => {
      listeners.add(hears);
      return () => void listeners.delete(hears);
    },
    mayNotify: async (ask) => {
      if (typeof Notification !== "function") return "no";
      const allowed = ask ? await Notification.requestPermission() : Notification.permission;
      return allowed === "default" ? "ask" : allowed === "granted" ? "yes" : "no";
    },
    notify: (notice) => notify(notice, tell),
    summarize: ({ unread }) => {
      document.title = unread > 0 ? `(${unread}) Porchlight` : "Porchlight";
    },
  };
}

/** Shows a notification, if the user lets this page. Of one event all tabs show the same. */
function notify(
  { event_id, room_id, title, body }: Notice,
  tell: (event: ShellEvent) => void,
): void {
  if (typeof Notification !== "function" || Notification.permission !== "granted") return;
  const shown = new Notification(title, { body, tag: event_id });
  shown.onclick = () => {
    window.focus();
    tell({ type: "open", room_id });
    shown.close();
  };
}

function watchUser(tell: (event: ShellEvent) => void): void {
  let toldAt = Number.NEGATIVE_INFINITY;
  const active = (): void => {
    if (performance.now() < toldAt + ACTIVE_EVERY_MS) return;
    toldAt = performance.now();
    tell({ type: "active", idle_for_ms: 0 });
  };
  for (const type of ACTIVITIES) addEventListener(type, active, { passive: true, capture: true });
}

function watchSleep(tell: (event: ShellEvent) => void): void {
  let lookedAt = Date.now();
  setInterval(() => {
    const isLate = Date.now() > lookedAt + TICK_MS + SLEPT_MS;
    lookedAt = Date.now();
    if (isLate) tell({ type: "resume" });
  }, TICK_MS);
  addEventListener("online", () => tell({ type: "resume" }));
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) tell({ type: "resume" });
  });
  addEventListener("pagehide", () => tell({ type: "suspend" }));
}

/** A tab that is loaded again is the same; one that was made of another, as by duplicating it, is not. */
function instance(): string {
  const [navigation] = performance.getEntriesByType("navigation");
  const isSame = navigation instanceof PerformanceNavigationTiming && navigation.type === "reload";
  if (!isSame) sessionStorage.removeItem(INSTANCE);
  return kept(sessionStorage, INSTANCE);
}

/** A name that is made once. */
function kept(storage: Storage, key: string): string {
  const name =
    storage.getItem(key) ?? `browser-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  storage.setItem(key, name);
  return name;
}

function read(storage: Storage): Account | undefined {
  const text = storage.getItem(ACCOUNT);
  return text === null ? undefined : (JSON.parse(text) as Account);
}
