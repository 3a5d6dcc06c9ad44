import { expect } from "bun:test";
import { FILES } from "../vectors/files.ts";
import { play } from "../vectors/play.ts";
import { runOn, testEverywhere } from "./runtimes.ts";

const VECTORS = new URL("../vectors/run.ts", import.meta.url);

testEverywhere("the vectors hold", async (runtime) => {
  const { played } = play(FILES);
  expect(played).toBeGreaterThan(200);
  expect(await runOn(runtime, VECTORS)).toEqual({ played, faults: [] });
  console.log(`${played} vectors hold on ${runtime}`);
});
