import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { outputOf, pathWithBun, ServerProcess, temporaryFolder } from "../support/process.ts";

const ROOT = resolve(import.meta.dir, "../..");

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** The instructions of the Dockerfile, by stage. */
function stages(): Instruction[][] {
  const text = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  const lines = text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ")
    .split("\n");
  const all: Instruction[][] = [];
  for (const line of lines.filter((each) => each.trim() !== "")) {
    const [, name = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (name === "FROM") all.push([]);
    all.at(-1)?.push({ name, rest });
  }
  return all;
}

/** What an instruction of the last stage says. */
function last(name: string): string {
  return stages()[1]?.find((each) => each.name === name)?.rest ?? "";
}

/** Whether `.dockerignore` lets a file or folder of the repository come along. */
function isSent(path: string): boolean {
  const kept = [...readFileSync(join(ROOT, ".dockerignore"), "utf8").matchAll(/^!(.+)$/gm)];
  return kept.some(
    ([, each = ""]) => `${path}/`.startsWith(`${each}/`) || each.startsWith(`${path}/`),
  );
}

/** Does what the first stage says, in a folder in the place of an image that has Bun. */
async function build(folder: string): Promise<void> {
  const env = { PATH: pathWithBun(folder) };
  for (const { name, rest } of stages()[0] ?? []) {
    if (name === "RUN") await outputOf(["sh", "-c", rest], { cwd: folder, env });
    if (name !== "COPY") continue;
    const paths = rest.split(/\s+/);
    const to = paths.pop() ?? "";
    for (const path of paths) {
      if (!isSent(path)) throw new Error(`Cannot copy "${path}" as .dockerignore keeps it back`);
      const isFolder = !path.includes(".");
      const target = join(folder, to, isFolder ? "" : basename(path));
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(ROOT, path), target, {
        recursive: true,
        filter: (each) => !/\/(node_modules|dist)$/.test(each),
      });
    }
  }
}

describe("the Dockerfile", () => {
  test("has steps that build the program, which serves as the image would, and is healthy as long as it does", async () => {
    using folder = temporaryFolder();
    await build(folder.path);
    const program = join(folder.path, "dist/porchlight");
    const [, said = ""] = /--from=build \/build\/(\S+)/.exec(last("COPY")) ?? [];
    expect(join(folder.path, said)).toBe(program);

    expect(last("ENTRYPOINT")).toBe('["porchlight"]');
    const variables = last("ENV")
      .split(/\s+/)
      .map((each) => each.split("="));
    const env = {
      ...Object.fromEntries(variables),
      PORCHLIGHT_HOST: "127.0.0.1",
      PORCHLIGHT_PORT: "0",
      PORCHLIGHT_DATABASE_URL: `sqlite:${join(folder.path, "p.db")}`,
    };
    const options = { program, cwd: folder.path };
    await using server = await ServerProcess.start(JSON.parse(last("CMD")), env, options);
    const command = JSON.parse(last("HEALTHCHECK").replace(/^.*?CMD /, ""));
    const health = (): Promise<string> =>
      outputOf(command, {
        env: {
          PATH: `${dirname(program)}:${process.env.PATH}`,
          PORCHLIGHT_PORT: new URL(server.url).port,
        },
      });
    expect(await health()).toBe("");
    expect(await server.end("SIGTERM")).toBe(0);
    await expect(health()).rejects.toThrow();
  }, 120_000);

  test("runs it as nobody in particular, beside a volume for the database, and stops it in order", () => {
    expect(
      Object.fromEntries(
        last("ENV")
          .split(/\s+/)
          .map((each) => each.split("=")),
      ),
    ).toEqual({
      PORCHLIGHT_HOST: "0.0.0.0",
      PORCHLIGHT_PORT: "8787",
      PORCHLIGHT_DATABASE_URL: "sqlite:/data/porchlight.db",
    });
    expect([last("USER"), last("VOLUME"), last("STOPSIGNAL")]).toEqual([
      "10001:10001",
      "/data",
      "SIGTERM",
    ]);
  });

  test("takes the Bun that the README asks for", () => {
    const [, version] =
      /bun@([\d.]+) start/.exec(readFileSync(join(ROOT, "README.md"), "utf8")) ?? [];
    expect(stages()[0]?.[0]?.rest).toBe(`oven/bun:${version}-debian AS build`);
  });
});
