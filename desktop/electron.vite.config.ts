import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "electron-vite";
import type { Plugin } from "vite";

const DEVELOPMENT_PORT = 5_173;

// biome-ignore lint/style/noDefaultExport: electron-vite asks for it
export default defineConfig({
  main: {
    plugins: [nativeSqlite()],
    build: {
      // One file, and nothing beside it to be packed: no package is looked for at run time.
      externalizeDeps: false,
      rolldownOptions: { input: "main/index.ts", output: { codeSplitting: false } },
    },
  },
  preload: {
    build: {
      externalizeDeps: false,
      // A preload in the sandbox is CommonJS, and one file.
      rolldownOptions: {
        input: "preload/index.ts",
        output: { format: "cjs", entryFileNames: "[name].cjs", codeSplitting: false },
      },
    },
  },
  renderer: {
    root: "renderer",
    plugins: [svelte()],
    // The page has it from the app's own scheme, where Vite would look for itself.
    server: {
      port: DEVELOPMENT_PORT,
      strictPort: true,
      hmr: { protocol: "ws", host: "localhost", clientPort: DEVELOPMENT_PORT },
    },
    build: {
      rolldownOptions: { input: "renderer/index.html" },
      modulePreload: false,
      cssCodeSplit: false,
      assetsInlineLimit: 0,
      minify: true,
    },
  },
});

/** Puts the native parts of better-sqlite3 beside main, one for each kind of machine that Electron runs on. */
function nativeSqlite(): Plugin {
  const manifest = createRequire(import.meta.url).resolve("better-sqlite3/package.json");
  const folder = join(dirname(manifest), "prebuilds");
  return {
    name: "native-sqlite",
    generateBundle() {
      for (const name of readdirSync(folder).filter((each) => !each.includes("musl")))
        this.emitFile({
          type: "asset",
          fileName: `native/${name}`,
          source: readFileSync(join(folder, name)),
        });
    },
  };
}
