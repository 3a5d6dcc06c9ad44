import { ipcRenderer } from "electron";
import type { Cache, Shell, ShellEvent } from "../bridge.ts";
import { ARGUMENTS, ASKED, EVENT, SAID } from "../main/channels.ts";
import { Keeping } from "./keeping.ts";

/** A window of the app. Functions and plain data only: whatever the view is handed, it can call. */
export function windowShell(): Shell {
  const keeping = new Keeping();
  const listeners = new Set<(event: ShellEvent) => void>();
  const tell = (event: ShellEvent): void => {
    for (const hears of listeners) hears(event);
  };
  ipcRenderer.on(EVENT, (_event, event: ShellEvent) => {
    tell(event);
    if (event.type === "suspend") void keeping.settled().then(() => ipcRenderer.send(SAID.kept));
  });
  addEventListener("online", () => tell({ type: "resume" }));
  return {
    kind: "electron",
    device_id: argument(ARGUMENTS.device),
    instance: argument(ARGUMENTS.instance),
    server: "",
    cache: cache(keeping),
    account: () => ipcRenderer.invoke(ASKED.account),
    signIn: (account, remember) => ipcRenderer.invoke(ASKED.signIn, account, remember),
    signOut: () => ipcRenderer.invoke(ASKED.signOut),
    listen: (hears) => {
      listeners.add(hears);
      if (listeners.size === 1) ipcRenderer.send(SAID.listening);
      return () => void listeners.delete(hears);
    },
    // The system asks its user by itself.
    mayNotify: async () => "yes",
    notify: (notice) => ipcRenderer.send(SAID.notify, notice),
    summarize: (summary) => ipcRenderer.send(SAID.summarize, summary),
  };
}

function cache(keeping: Keeping): Cache {
  const ask = <T>(channel: string, ...said: unknown[]): Promise<T> =>
    keeping.count(ipcRenderer.invoke(channel, ...said) as Promise<T>);
  return {
    get: (key) => ask(ASKED.get, key),
    put: (key, value) => ask(ASKED.put, key, value),
    keys: (prefix) => ask(ASKED.keys, prefix),
    clear: () => ask(ASKED.clear),
  };
}

/** What main has handed this window under a name. */
function argument(name: string): string {
  return process.argv.find((each) => each.startsWith(name))?.slice(name.length) ?? "";
}
