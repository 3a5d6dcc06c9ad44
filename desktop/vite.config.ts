import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const RENDERER = `${import.meta.dirname}/renderer`;

/** The view as the page that the server serves at `/`: everything beside it, nothing inline. */
// biome-ignore lint/style/noDefaultExport: Vite asks for it
export default defineConfig({
  root: RENDERER,
  base: "./",
  plugins: [svelte(), preloaded()],
  build: {
    outDir: "../../server/page/dist",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { main: `${RENDERER}/index.html`, worker: `${RENDERER}/browser/worker.ts` },
      // Named as the server names them; whether they are new their ETags say.
      output: {
        entryFileNames: "app/[name].js",
        chunkFileNames: "app/[name].js",
        assetFileNames: "app/view[extname]",
      },
    },
  },
});

/** What the entry asks for first is fetched along with it. */
function preloaded(): Plugin {
  return {
    name: "preloaded",
    transformIndexHtml: () =>
      ["preload-helper", "view"].map((name) => ({
        tag: "link",
        attrs: { rel: "modulepreload", href: `./app/${name}.js` },
        injectTo: "head" as const,
      })),
  };
}
