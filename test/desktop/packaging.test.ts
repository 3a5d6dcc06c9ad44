import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const DESKTOP = resolve(import.meta.dir, "../../desktop");
const CONFIGURATION = Bun.YAML.parse(
  readFileSync(join(DESKTOP, "electron-builder.yml"), "utf8"),
) as Record<string, Record<string, unknown>>;

describe("the package of the app", () => {
  test("states every fuse: no way in beside the app that was packed", () => {
    expect(CONFIGURATION.electronFuses).toEqual({
      runAsNode: false,
      enableCookieEncryption: true,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableEmbeddedAsarIntegrityValidation: true,
      onlyLoadAppFromAsar: true,
      loadBrowserProcessSpecificV8Snapshot: false,
      grantFileProtocolExtraPrivileges: false,
    });
    expect(CONFIGURATION).toMatchObject({ asar: true, mac: { hardenedRuntime: true } });
  });

  test("is made for Linux, macOS and Windows, and opens links of its own there", () => {
    expect(CONFIGURATION.linux).toMatchObject({ target: ["AppImage", "deb"] });
    expect(CONFIGURATION.mac).toMatchObject({ target: ["dmg", "zip"] });
    expect(CONFIGURATION.win).toMatchObject({ target: ["nsis"] });
    expect(CONFIGURATION).toMatchObject({
      protocols: [{ name: "Porchlight", schemes: ["porchlight"] }],
    });
  });

  test("holds what is built, the native part of the machine it is for, and no other package", () => {
    expect(CONFIGURATION).toMatchObject({
      files: ["out/main/index.js", "out/preload", "out/renderer", "!**/node_modules/**"],
      asarUnpack: "**/*.node",
      npmRebuild: false,
      linux: { files: [`out/main/native/linux-\${arch}.node`] },
      mac: { files: [`out/main/native/darwin-\${arch}.node`] },
      win: { files: [`out/main/native/win32-\${arch}.node`] },
    });
    expect(existsSync(join(DESKTOP, "icons/icon.png"))).toBe(true);
  });
});
