import { expect } from "bun:test";
import { runOn, testEverywhere } from "./runtimes.ts";

const OBSTINATE = new URL("./modules/obstinate.ts", import.meta.url);

testEverywhere("a module is handed JSON and answers JSON", async (runtime) => {
  const answer = { text: '</script> "\u2028\\ 😀', list: [1.5, null, true], deep: { er: {} } };
  expect(await runOn(runtime, OBSTINATE, { answer })).toEqual(answer);
  expect(await runOn(runtime, OBSTINATE, {})).toBeNull();
});

testEverywhere("a module reaches a server on this machine", async (runtime) => {
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("hello", { headers: { "access-control-allow-origin": "*" } }),
  });
  expect(await runOn(runtime, OBSTINATE, { fetch: server.url.href })).toBe("hello");
});

testEverywhere("a module that throws is told with what it threw", async (runtime) => {
  await expect(runOn(runtime, OBSTINATE, { end: "throw" })).rejects.toThrow("does not want to");
});

testEverywhere("a module that does not come to an end is ended", async (runtime) => {
  await expect(runOn(runtime, OBSTINATE, { end: "never" }, 1_000)).rejects.toThrow(
    `Cannot run on ${runtime}`,
  );
});
