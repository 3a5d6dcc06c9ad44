import { expect, test } from "bun:test";
import type { Connection } from "../../server/hub.ts";
import { Pings } from "../../server/pings.ts";
import { TestClock } from "../support/clock.ts";

test("sockets that are to be asked within 250 ms are asked together, none too early", async () => {
  const clock = new TestClock();
  const from = clock.elapsed();
  const asked: number[] = [];
  const pings = new Pings({ clock, pingMs: 30_000, close: () => undefined });
  const connect = () =>
    pings.add({
      expires_at: undefined,
      socket: { ping: () => asked.push(clock.elapsed() - from) },
    } as unknown as Connection);
  connect();
  await clock.advance(10);
  connect();
  await clock.advance(200);
  connect();
  await clock.advance(31_000);
  pings.stop();
  const [first = 0, ...others] = asked;
  expect(first).toBeWithin(30_000, 30_251);
  expect(others[0]).toBe(others[1] ?? -1);
  expect(others[1]).toBeWithin(30_210, 30_461);
});
