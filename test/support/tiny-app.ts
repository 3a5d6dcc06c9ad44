import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>View</title>
    <link rel="stylesheet" href="./view.css" />
    <script type="module" src="./view.js"></script>
  </head>
  <body></body>
</html>
`;

/** Puts main and the preload of a built app into a folder, with a view that does nothing by itself. */
export async function makeTinyApp(built: string, folder: string): Promise<void> {
  mkdirSync(join(folder, "main"), { recursive: true });
  cpSync(join(built, "main/index.js"), join(folder, "main/index.js"));
  symlinkSync(join(built, "main/native"), join(folder, "main/native"));
  cpSync(join(built, "preload"), join(folder, "preload"), { recursive: true });
  mkdirSync(join(folder, "renderer"));
  const view = await Bun.build({
    entrypoints: [join(import.meta.dir, "tiny-view.ts")],
    target: "browser",
  });
  writeFileSync(join(folder, "renderer/index.html"), PAGE);
  writeFileSync(join(folder, "renderer/view.css"), "body { color: rgb(1, 2, 3) }");
  writeFileSync(join(folder, "renderer/view.js"), (await view.outputs[0]?.text()) ?? "");
}
