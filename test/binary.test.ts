import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { buildProgram } from "../build/server.ts";
import { ServerProcess, temporaryFolder } from "./support/process.ts";
import { ADMIN_TOKEN } from "./support/server.ts";
import { StreamClient } from "./support/stream.ts";

const ROOT = resolve(import.meta.dir, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

describe("the program that is made by `bun run build`", () => {
  const built = temporaryFolder();
  let program = "";
  beforeAll(async () => {
    program = await buildProgram(built.path);
  }, 60_000);
  afterAll(() => built[Symbol.dispose]());

  /** The program alone in an empty folder, as somebody has it who has downloaded it. */
  function download(): { path: string; program: string } & Disposable {
    const folder = temporaryFolder();
    const copy = join(folder.path, basename(program));
    copyFileSync(program, copy);
    return { path: folder.path, program: copy, [Symbol.dispose]: () => folder[Symbol.dispose]() };
  }

  test("needs nothing of the machine that made it", () => {
    expect(readFileSync(program).includes(`${ROOT}/`)).toBe(false);
  });

  test("is as large as the README says", () => {
    const said = Number(/It has about (\d+) MB/.exec(README)?.[1]);
    const megabytes = statSync(program).size / 1_000_000;
    // It is mostly Bun, whose size is not the same for every kind of machine.
    expect(Math.abs(megabytes - said)).toBeLessThan(25);
  });

  test("serves alone, without an environment: a person, their presence, a stream, and an orderly stop", async () => {
    using alone = download();
    const env = { PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN };
    await using server = await ServerProcess.start(["serve"], env, {
      program: alone.program,
      cwd: alone.path,
    });
    const call = async (token: string, method: string, path: string, body?: object) => {
      const answer = await fetch(`${server.url}/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(body && { body: JSON.stringify(body) }),
      });
      const { data, error } = (await answer.json()) as { data: never; error: never };
      return data ?? error;
    };
    await call(ADMIN_TOKEN, "PUT", "/admin/tenants/home", {});
    await call(ADMIN_TOKEN, "PUT", "/admin/participants/ann", { tenant_id: "home" });
    const { token } = (await call(ADMIN_TOKEN, "POST", "/admin/tokens", {
      participant_id: "ann",
    })) as { token: string };
    expect<unknown>(await call(token, "GET", "/presence?ids=ann")).toEqual({ ann: "offline" });
    const stream = await StreamClient.open(
      `${server.url.replace("http", "ws")}/v1/stream?token=${token}`,
    );
    expect(await stream.type("hello")).toMatchObject({ participant_id: "ann" });
    expect<unknown>(await call(token, "GET", "/presence?ids=ann")).toEqual({ ann: "online" });
    expect(readdirSync(alone.path)).toContain("porchlight.db");
    expect(await server.end("SIGTERM")).toBe(0);
    expect((await stream.closed).code).toBe(1012);
    expect(readdirSync(alone.path).sort()).toEqual([basename(program), "porchlight.db"].sort());
  });
});
