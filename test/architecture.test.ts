import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize, relative, resolve } from "node:path";
import { Glob } from "bun";

const ROOT = resolve(import.meta.dir, "..");
/** What checks input with zod. */
const SCHEMAS = ["core/input.ts", "core/requests.ts", "core/room-writes.ts", "zod/mini"];

interface Source {
  /** From the root, such as `core/typing.ts`. */
  readonly path: string;
  readonly text: string;
  /** What it imports: packages by name, files from the root. */
  readonly imports: readonly string[];
}

function sourcesIn(folder: string): Source[] {
  const paths = [...new Glob(`${folder}/**/*.ts`).scanSync(ROOT)].filter(
    (path) => !/\/(node_modules|dist|out)\//.test(path),
  );
  return paths.sort().map((path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    const named = [
      ...text.matchAll(
        /^(?:import|export)[^"';]*?from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"/gm,
      ),
    ];
    const imports = named.map(([, from, bare, late]) => from ?? bare ?? late ?? "");
    return {
      path,
      text,
      imports: imports.map((each) =>
        each.startsWith(".") ? normalize(join(dirname(path), each)) : each,
      ),
    };
  });
}

/** The imports of a folder's files that `allowed` does not let through, as "file -> import". */
function strangers(folder: string, allowed: (imported: string, path: string) => boolean): string[] {
  return sourcesIn(folder).flatMap(({ path, imports }) =>
    imports.filter((each) => !allowed(each, path)).map((each) => `${path} -> ${each}`),
  );
}

describe("core", () => {
  test("imports nothing but itself and zod", () => {
    expect(
      strangers("core", (imported) => imported.startsWith("core/") || imported === "zod/mini"),
    ).toEqual([]);
  });

  test("is compiled without clocks, timers and I/O", () => {
    const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, "core/tsconfig.json"), "utf8"));
    expect(compilerOptions).toMatchObject({ lib: ["ES2023"], types: [] });
    const clocks = sourcesIn("core").filter(
      ({ path, text }) =>
        !path.startsWith("core/client/") &&
        /\bDate\.now\b|\bnew Date\(\)|\bperformance\b|\bMath\.random\b/.test(text),
    );
    expect(clocks.map(({ path }) => path)).toEqual([]);
  });

  test("has a client that takes clocks, chance, timers and I/O from two files, where they can be replaced", () => {
    const users = sourcesIn("core/client").filter(({ text }) =>
      /\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bMath\.random\b|\bsetTimeout\(|\bsetInterval\(|\bfetch\(url|\bcrypto\.|\bnavigator\b|\bdocument\b|\bwindow\./.test(
        text.replaceAll(/\/\*\*[\s\S]*?\*\//g, ""),
      ),
    );
    expect(users.map(({ path }) => path)).toEqual([
      "core/client/clock.ts",
      "core/client/runtime.ts",
    ]);
  });

  test("has rules that know nothing of the client", () => {
    const users = sourcesIn("core").filter(
      ({ path, imports }) =>
        !path.startsWith("core/client/") && imports.some((each) => each.startsWith("core/client/")),
    );
    expect(users.map(({ path }) => path)).toEqual([]);
  });

  test("has a client without schemas: what the server says has been checked there", () => {
    const checks = [...SCHEMAS, "core/index.ts"];
    const users = sourcesIn("core/client").filter(({ imports }) =>
      imports.some((each) => checks.includes(each)),
    );
    expect(users.map(({ path }) => path)).toEqual([]);
  });

  test("keeps schemas out of the rules, so that the rules can be bundled without them", () => {
    const users = sourcesIn("core").filter(({ imports }) =>
      imports.some((each) => SCHEMAS.includes(each)),
    );
    const paths = users.map(({ path }) => path);
    expect(paths).toEqual(["core/index.ts", ...SCHEMAS.filter((each) => each !== "zod/mini")]);
  });
});

describe("server", () => {
  test("takes the rules and the clock from their entries", () => {
    const entries = ["", "/awareness", "/clock", "/sharing"].map(
      (each) => `@porchlight/core${each}`,
    );
    const isOurs = (imported: string): boolean => /^(@porchlight\/)?core\b/.test(imported);
    expect(
      strangers("server", (imported) => !isOurs(imported) || entries.includes(imported)),
    ).toEqual([]);
  });

  test("names the adapter of the store in one place", () => {
    const isAdapter = (imported: string): boolean => /^server\/store\/(?!store\.ts)/.test(imported);
    const users = sourcesIn("server").filter(
      ({ path, imports }) => !path.startsWith("server/store/") && imports.some(isAdapter),
    );
    expect(users.map(({ path }) => path)).toEqual(["server/main.ts"]);
  });

  test("names the adapter of the cluster in one place, and knows Redis in one file", () => {
    const isAdapter = (imported: string): boolean =>
      /^server\/cluster\/(open|memory|redis)\.ts/.test(imported);
    const users = sourcesIn("server").filter(
      ({ path, imports }) => !path.startsWith("server/cluster/") && imports.some(isAdapter),
    );
    expect(users.map(({ path }) => path)).toEqual(["server/main.ts"]);
    const clients = sourcesIn("server").filter(({ imports }) => imports.includes("@redis/client"));
    expect(clients.map(({ path }) => path)).toEqual(["server/cluster/redis.ts"]);
  });

  test("knows SQL in the store only, and SQLite and PostgreSQL in two files of it each", () => {
    const users = (name: string): string[] =>
      sourcesIn("server")
        .filter(({ imports }) => imports.includes(name))
        .map(({ path }) => path);
    expect(users("kysely").every((path) => path.startsWith("server/store/"))).toBe(true);
    expect(users("better-sqlite3")).toEqual([
      "server/store/sqlite-file.ts",
      "server/store/sqlite.ts",
    ]);
    expect(users("pg")).toEqual([
      "server/store/postgres-connections.ts",
      "server/store/postgres-session.ts",
    ]);
  });

  test("reads clocks and sets timers nowhere", () => {
    const readers = sourcesIn("server").filter(({ text }) =>
      /\bDate\.now\(|\bperformance\.now\(|\bsetTimeout\(|\bsetInterval\(/.test(text),
    );
    expect(readers.map(({ path }) => path)).toEqual([]);
  });
});

describe("desktop", () => {
  test("takes the rules and the client from their entries, and nothing from the server", () => {
    const entries = ["", "/awareness", "/client", "/clock"].map(
      (each) => `@porchlight/core${each}`,
    );
    const isOurs = (imported: string): boolean => /^(@porchlight\/)?(core|server)\b/.test(imported);
    expect(
      strangers("desktop", (imported) => !isOurs(imported) || entries.includes(imported)),
    ).toEqual([]);
  });

  test("has a view that knows what it stands in by the bridge alone, and Electron in main and preload alone", () => {
    const isShell = (imported: string): boolean => /^desktop\/(main|preload)\//.test(imported);
    expect(strangers("desktop/renderer", (imported) => !isShell(imported))).toEqual([]);
    const users = sourcesIn("desktop").filter(({ imports }) => imports.includes("electron"));
    expect(users.filter(({ path }) => !/^desktop\/(main|preload)\//.test(path))).toEqual([]);
  });

  test("speaks Yjs in one place", () => {
    const users = sourcesIn("desktop").filter(({ imports }) =>
      imports.some((each) => /^(yjs|y-)/.test(each)),
    );
    expect(users.map(({ path }) => path)).toEqual(["desktop/renderer/state/live.ts"]);
  });
});

describe("tests", () => {
  test("never sleep, poll or retry", () => {
    const impatient = sourcesIn("test").filter(({ text }) =>
      /\bBun\.sleep\(|\bsetTimeout\(|\bsetInterval\(|retry:/.test(text),
    );
    expect(impatient.map(({ path }) => path)).toEqual(["test/architecture.test.ts"]);
  });

  test("of core see nothing behind its entry", () => {
    const entries = ["", "/awareness", "/client", "/clock", "/sharing"].map(
      (each) => `@porchlight/core${each}`,
    );
    const isOurs = (imported: string): boolean => /^(@porchlight\/)?core\b/.test(imported);
    expect(
      strangers("test/core", (imported) => !isOurs(imported) || entries.includes(imported)),
    ).toEqual([]);
  });
});

describe("every file", () => {
  test("is imported by another, or is an entry", () => {
    const entries = [
      "core/index.ts",
      "core/awareness.ts",
      "core/client/index.ts",
      "core/sharing.ts",
      "server/cli.ts",
      "server/main.ts",
    ];
    const sources = [...sourcesIn("core"), ...sourcesIn("server")];
    const imported = new Set(sources.flatMap(({ imports }) => imports));
    const alone = sources
      .map(({ path }) => path)
      .filter((path) => !imported.has(path) && !entries.includes(path));
    expect(alone).toEqual([]);
  });

  test("is part of no circle of imports", () => {
    const sources = new Map(
      [...sourcesIn("core"), ...sourcesIn("server")].map((source) => [source.path, source]),
    );
    const circles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path))
        circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      else for (const next of runtimeImports(sources.get(path))) visit(next, [...trail, path]);
    };
    for (const path of sources.keys()) visit(path, []);
    expect([...new Set(circles)]).toEqual([]);
  });
});

/** Imports that are there at run time: those of types only vanish. */
function runtimeImports(source: Source | undefined): string[] {
  if (source === undefined) return [];
  const named = [...source.text.matchAll(/^(?:import|export) (?!type )[^"';]*?from "(\.[^"]+)"/gm)];
  return named.map(([, from]) => relative(ROOT, join(ROOT, dirname(source.path), from ?? "")));
}
