import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { EventEmitter } from "node:events";
import { join } from "node:path";
import type { Account } from "../../desktop/bridge.ts";
import { ACCOUNT, AppBench, newMachine, SUMMARY, signIn } from "../support/app-bench.ts";
import { PreventableEvent } from "../support/electron/event.ts";
import { ShellView } from "../support/shell-view.ts";

const VIEW = "porchlight-app://bundle";

setDefaultTimeout(30_000);
let bench: AppBench;
beforeAll(async () => {
  bench = await AppBench.open();
});
afterAll(() => bench[Symbol.asyncDispose]());

describe("the view", () => {
  test("is served from a scheme of the app, each file as what it is", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    const type = async (path: string): Promise<string | null> =>
      (await app.protocol.answer(VIEW + path)).headers.get("content-type");
    expect(await type("/")).toBe("text/html; charset=utf-8");
    expect(await type("/view.js?v=1")).toBe("text/javascript; charset=utf-8");
    expect(await type("/view.css")).toBe("text/css; charset=utf-8");
  });

  test("is all that is served: no path leads out of its folder", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    const served = async (url: string, method = "GET"): Promise<string> => {
      const answer = await app.protocol.answer(url, { method });
      return `${answer.status} ${await answer.text()}`;
    };
    for (const path of [
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/%2e%2e%2fsecret.txt",
      "/..%5csecret.txt",
      "/x/..%2f..%2fsecret.txt",
      "/view.js%00.txt",
      "/%",
      "/C:%5csecret.txt",
      `/${encodeURIComponent(join(bench.out, "secret.txt"))}`,
      "//etc/passwd",
      "/nothing.js",
    ])
      expect(`${path} ${await served(VIEW + path)}`).toBe(`${path} 404 `);
    expect(await served("porchlight-app://elsewhere/index.html")).toBe("404 ");
    expect(await served(`${VIEW}/index.html`, "POST")).toBe("405 ");
  });

  test("has a policy that lets it load nothing from elsewhere and run nothing inline", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const { headers } = await app.protocol.answer(`${VIEW}/index.html`);
    expect(policyOf(headers)).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "font-src 'self'",
      "connect-src https: http://127.0.0.1:* http://localhost:*",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    const page = await app.page();
    expect(await page.evaluate("getComputedStyle(document.body).color")).toBe("rgb(1, 2, 3)");
    await expect(page.addScriptTag({ content: "ran = true" })).rejects.toThrow();
    expect(await page.evaluate("typeof ran")).toBe("undefined");
  });

  test("reaches one server only once somebody is signed in", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const headers = { "access-control-allow-origin": "*" };
    const answer = (): Response => new Response("here", { headers });
    await using own = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
    await using other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
    const page = await app.page();
    const ask = (server: { url: URL }): Promise<string> =>
      page.evaluate((url) => fetch(url).then((answer) => answer.text()), server.url.href);
    expect([await ask(own), await ask(other)]).toEqual(["here", "here"]);
    await signIn(app, { url: own.url.origin, token: "t" });
    expect(await ask(own)).toBe("here");
    await expect(ask(other)).rejects.toThrow("Failed to fetch");
    const policy = policyOf((await app.protocol.answer(`${VIEW}/`)).headers);
    const sockets = own.url.origin.replace("http", "ws");
    expect(policy).toContain(`connect-src ${own.url.origin} ${sockets}`);
    expect(policy).toContain(`img-src 'self' data: ${own.url.origin}`);
  });

  test("comes from Vite while it is developed, and from its own folder in a package", async () => {
    using machine = newMachine();
    await using vite = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => new Response(`${new URL(url).pathname}${new URL(url).search}`),
    });
    process.env.ELECTRON_RENDERER_URL = vite.url.href;
    try {
      await using app = await bench.startUnseen(machine);
      const answer = await app.protocol.answer(`${VIEW}/@vite/client?t=1`);
      expect(await answer.text()).toBe("/@vite/client?t=1");
      expect(policyOf(answer.headers)).toContain("script-src 'self'");
      const elsewhere = await app.protocol.answer("porchlight-app://elsewhere/");
      expect(elsewhere.status).toBe(404);
    } finally {
      delete process.env.ELECTRON_RENDERER_URL;
    }
    process.env.ELECTRON_RENDERER_URL = vite.url.href;
    try {
      await using app = await bench.startUnseen(machine, { isPackaged: true });
      const answer = await app.protocol.answer(`${VIEW}/@vite/client`);
      expect(answer.status).toBe(404);
    } finally {
      delete process.env.ELECTRON_RENDERER_URL;
    }
  });

  test("runs in a sandbox, isolated, without Node.js, and in a package without tools for developers", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine, { isPackaged: true });
    expect(app.app.isSandboxed).toBe(true);
    const window = await app.window();
    expect(window.options.webPreferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      devTools: false,
    });
    const roles = JSON.stringify(app.outside.menu?.items);
    expect(roles).not.toContain("toggleDevTools");
    expect(roles).not.toContain("reload");
  });

  test("is handed what the bridge says, and no more", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const { page, shell } = await ShellView.of(await app.page());
    expect(await shell.evaluate((each) => Object.keys(each).sort())).toEqual([
      ...["account", "cache", "device_id", "instance", "kind", "listen", "mayNotify", "notify"],
      ...["server", "signIn", "signOut", "summarize"],
    ]);
    expect(await shell.evaluate((each) => Object.keys(each.cache).sort())).toEqual([
      ...["clear", "get", "keys", "put"],
    ]);
    expect(await shell.evaluate(({ kind, server }) => [kind, server])).toEqual(["electron", ""]);
    expect(await page.evaluate("[typeof require, typeof process, typeof ipcRenderer]")).toEqual([
      ...["undefined", "undefined", "undefined"],
    ]);
  });

  test("goes nowhere else, opens nothing, and embeds nothing", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const page = await app.page();
    const failed = page.waitForEvent("requestfailed");
    await page.evaluate('location.href = "https://elsewhere.test/"').catch(() => {});
    expect((await failed).url()).toBe("https://elsewhere.test/");
    expect(await page.evaluate("document.title")).toBe("View");
    await page.evaluate('open("https://elsewhere.test/page")');
    expect(app.opened).toEqual(["https://elsewhere.test/page"]);

    const { webContents } = await app.window();
    for (const name of ["will-navigate", "will-redirect", "will-frame-navigate"]) {
      expect(isPrevented(webContents, name, { url: "https://elsewhere.test/" })).toBe(true);
      expect(isPrevented(webContents, name, { url: "porchlight-app://elsewhere/" })).toBe(true);
      expect(isPrevented(webContents, name, { url: "file:///etc/passwd" })).toBe(true);
      expect(isPrevented(webContents, name, { url: `${VIEW}/index.html#/people` })).toBe(false);
    }
    expect(isPrevented(webContents, "will-attach-webview", {})).toBe(true);
    expect(isPrevented(app.session, "will-download", {})).toBe(true);
  });

  test("hands nothing to the system but addresses of the web that are safe on the way", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    const { webContents } = await app.window();
    for (const url of [
      "http://elsewhere.test/",
      "file:///etc/passwd",
      "javascript:alert(1)",
      "smb://elsewhere.test/share",
      "ms-settings:",
      "porchlight://room/lounge",
      `${VIEW}/index.html`,
      "https:",
      "",
    ])
      expect(webContents.asksToOpen(url)).toBe("deny");
    expect(app.opened).toEqual([]);
    expect(webContents.asksToOpen("HTTPS://Elsewhere.test/a b?c#d")).toBe("deny");
    expect(app.opened).toEqual(["https://elsewhere.test/a%20b?c#d"]);
  });

  test("is granted no permission", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    for (const permission of [
      ...["media", "geolocation", "notifications", "midi", "pointerLock", "fullscreen", "hid"],
      ...["openExternal", "clipboard-read", "serial", "usb", "idle-detection", "fileSystem"],
    ])
      expect([permission, app.session.allows(permission)]).toEqual([permission, false]);
  });
});

describe("what is said to main", () => {
  test("is dropped unless the view itself has said it", async () => {
    using machine = newMachine();
    await using app = await bench.startUnseen(machine);
    const sender = (await app.window()).webContents;
    const frame = { url: `${VIEW}/index.html`, origin: VIEW, parent: null };
    const view = { sender, senderFrame: frame };
    const strangers = [
      { sender, senderFrame: null },
      { sender, senderFrame: { ...frame, origin: "https://elsewhere.test" } },
      { sender, senderFrame: { ...frame, origin: "porchlight-app://elsewhere" } },
      { sender, senderFrame: { ...frame, origin: "null" } },
      { sender, senderFrame: { ...frame, parent: frame } },
      { sender: {}, senderFrame: frame },
    ];
    const notice = { event_id: "e1", room_id: "lounge", title: "Ann", body: "Hello" };
    for (const stranger of strangers) {
      app.ipcMain.said(stranger, "porchlight:notify", [notice]);
      for (const channel of ["account", "sign-in", "sign-out", "cache-get", "cache-put"])
        expect(
          await app.ipcMain.invoked(stranger, `porchlight:${channel}`, ["key", 1]),
        ).toHaveProperty("error");
    }
    expect(app.outside.notifications).toEqual([]);
    expect(await app.ipcMain.invoked(view, "porchlight:cache-get", ["key"])).toEqual({});
    app.ipcMain.said(view, "porchlight:notify", [notice]);
    expect(app.outside.notifications).toHaveLength(1);
  });

  test("is dropped where it cannot be read", async () => {
    using machine = newMachine();
    await using app = await bench.start(machine);
    const { shell } = await ShellView.of(await app.page());
    const urls = [
      ...["", "chat.example", "http://chat.example", "ftp://chat.example", "file:///etc", 7, null],
      ...["https://ann:secret@chat.example", "https://chat.example?a", "https://chat.example#a"],
      ...["http://127.0.0.1.elsewhere.test", "http://localhost.elsewhere.test"],
      ...["http://[::1]", "https://[2001:db8::1]"],
    ].map((url) => ({ url, token: "t" }));
    const tokens = ["", 7, null, "t".repeat(20_000)].map((token) => ({ ...ACCOUNT, token }));
    const accounts = [...urls, ...tokens, null, "account", [], {}];
    const accepted = await shell.evaluate(async (each, accounts) => {
      const signIns = accounts.map((account) => each.signIn(account as Account, true));
      const results = await Promise.allSettled(signIns);
      return accounts.filter((_, at) => results[at]?.status === "fulfilled");
    }, accounts);
    expect(accepted).toEqual([]);
    expect(await shell.evaluate((each) => each.account())).toBeUndefined();

    const notice = { event_id: "e1", room_id: "lounge", title: "Ann", body: "Hello" };
    await shell.evaluate(
      (each, { notice, summary }) => {
        for (const room_id of ["", "a b", "../x", 7, undefined])
          each.notify({ ...notice, room_id: room_id as string });
        each.notify({ ...notice, title: 7 as unknown as string });
        each.notify(null as unknown as typeof notice);
        each.summarize({ ...summary, unread: -1 });
        each.summarize({ ...summary, chosen: "gone" as "auto" });
        each.summarize({ ...summary, choices: [{ chosen: "gone" as "auto", words: "Gone" }] });
        each.summarize({ ...summary, choices: new Array(100).fill(summary.choices[0]) });
      },
      { notice, summary: SUMMARY },
    );
    await expect(shell.evaluate((each) => each.cache.get("k".repeat(2_000)))).rejects.toThrow();
    expect(app.outside.notifications).toEqual([]);
    expect(app.outside.tray?.menu.items.map(({ type }) => type)).not.toContain("radio");
  });
});

function policyOf(headers: Headers): string[] {
  return headers.get("content-security-policy")?.split("; ") ?? [];
}

/** Whether main keeps something from happening that it is told of. */
function isPrevented(emitter: EventEmitter, name: string, details: object): boolean {
  const event = new PreventableEvent(details);
  emitter.emit(name, event);
  return event.defaultPrevented;
}
