/**
 * Loaded before the server, sets for how long it collects changes in any room:
 * `AWARENESS_WINDOW` milliseconds, where it goes by how many listen and how much
 * is told. What it stands on is checked: it ends the server where that is
 * written otherwise.
 */
import { readFileSync } from "node:fs";
import { plugin } from "bun";

const RULE = /^const WINDOWS: [^=]+ = \[[^\]]*\];$/m;
const ms = Number(process.env.AWARENESS_WINDOW);

plugin({
  name: "awareness-window",
  setup(build) {
    build.onLoad({ filter: /core\/awareness-window\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      if (!RULE.test(source)) throw new Error(`Cannot set a window as ${path} has no such rule`);
      const contents = source.replace(
        RULE,
        `const WINDOWS = [{ sockets: 0, entries: 0, ms: ${ms} }];`,
      );
      return { contents, loader: "ts" };
    });
  },
});
