import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "@porchlight/core/clock";
import { Chance, seedOf } from "../support/chance.ts";
import { faultsIn } from "../support/inventory.ts";
import { type Entry, requestOf, SUBJECTS } from "../support/ledger.ts";
import { ServerProcess, temporaryFolder } from "../support/process.ts";
import { Raw } from "../support/raw.ts";
import { isLong } from "../support/runs.ts";
import { ADMIN_TOKEN } from "../support/server.ts";

const ROUNDS = isLong ? 20 : 6;
const WRITES = isLong ? 10_000 : 500;
const PEOPLE = 100;
/** When the server is killed: so long after everything was sent, or once so many were answered. */
type Moment = { readonly afterMs?: number; readonly answers?: number };

describe("kill -9", () => {
  test(
    `at any moment of ${WRITES} writes under way, ${ROUNDS} times on one file, loses nothing answered, halves nothing and leaves no gap`,
    async () => {
      const seed = seedOf();
      const chance = new Chance(seed);
      using folder = temporaryFolder();
      const file = join(folder.path, "porchlight.db");
      const sent: Entry[] = [];
      const tokens = new Map<string, string>();
      let [answered, tookMs] = [0, 0];
      for (let round = 1; round <= ROUNDS; round += 1) {
        await using server = await start(file);
        if (round === 1) await populate(server.url, tokens);
        const entries = chance.shuffled([...unanswered(sent), ...newEntries(sent.length, round)]);
        sent.push(...entries.filter((entry) => entry.round === round));
        const from = performance.now();
        answered += await writeUntilKilled(server, entries, {
          tokens,
          moment: momentOf(round, tookMs, chance),
        });
        if (round === 1) tookMs = performance.now() - from;
        // The seed is in what a failure shows.
        expect({ seed, round, faults: await faultsIn(file, sent) }).toEqual({
          seed,
          round,
          faults: [],
        });
      }
      console.log(
        `kill -9: seed ${seed}, ${ROUNDS} rounds, ${answered} of ${sent.length} writes answered`,
      );
      expect(answered).toBeGreaterThan(0);
    },
    isLong ? 600_000 : 60_000,
  );
});

function start(file: string): Promise<ServerProcess> {
  return ServerProcess.start(["serve"], {
    PORCHLIGHT_DATABASE_URL: `sqlite:${file}`,
    PORCHLIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
    PORCHLIGHT_RATE_LIMIT: "0",
    PORCHLIGHT_EVENTS_RETAINED: "10000000",
  });
}

/** A tenant with people in one room. */
async function populate(url: string, tokens: Map<string, string>): Promise<void> {
  const admin = async (method: string, path: string, body: object): Promise<Response> => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const reply = await fetch(`${url}/v1/admin${path}`, {
      method,
      headers,
      body: JSON.stringify(body),
    });
    expect(reply.status).toBe(200);
    return reply;
  };
  const tenant_id = "acme";
  await admin("PUT", "/tenants/acme", {});
  await admin("PUT", "/rooms/lounge", { tenant_id });
  const people = Array.from({ length: PEOPLE }, (_, index) => `p${index}`);
  for (const participant_id of people) {
    await admin("PUT", `/participants/${participant_id}`, { tenant_id });
    await admin("PUT", `/rooms/lounge/members/${participant_id}`, {});
    const { data } = (await (await admin("POST", "/tokens", { participant_id })).json()) as {
      data: { token: string };
    };
    tokens.set(participant_id, data.token);
  }
}

/** Messages that nobody knows the fate of: sent again, under the same uuid, they are there once. */
function unanswered(sent: readonly Entry[]): Entry[] {
  return sent.filter(({ subject, reply }) => subject === "message" && reply === undefined);
}

function newEntries(before: number, round: number): Entry[] {
  return Array.from({ length: WRITES }, (_, index) => ({
    subject: SUBJECTS[index % SUBJECTS.length] ?? "message",
    mark: before + index,
    person: `p${Math.floor(index / SUBJECTS.length) % PEOPLE}`,
    round,
  }));
}

/** Sends everything at once and kills the server at that moment. Answers how many were answered. */
async function writeUntilKilled(
  server: ServerProcess,
  entries: readonly Entry[],
  { tokens, moment }: { tokens: ReadonlyMap<string, string>; moment: Moment },
): Promise<number> {
  const lines = entries.map(() => new Raw(server.url));
  await Promise.all(lines.map(({ open }) => open));
  let count = 0;
  const killed = Promise.withResolvers<void>();
  const kill = (): void => void server.end("SIGKILL").then(() => killed.resolve());
  if (moment.afterMs !== undefined) systemClock().timer(moment.afterMs, kill);
  const asked = entries.map(async (entry, index) => {
    const reply = await lines[index]?.ask(requestOf(entry, tokens));
    if (reply === undefined) return;
    entry.reply = reply;
    count += 1;
    if (count === moment.answers) kill();
  });
  await Promise.all([killed.promise, ...asked]);
  return count;
}

/** First when all is answered, which tells how long it takes; then at any time while it is, or between two answers. */
function momentOf(round: number, tookMs: number, chance: Chance): Moment {
  if (round === 1) return { answers: WRITES };
  if (round % 3 === 0) return { answers: 1 + chance.below(WRITES - 1) };
  return { afterMs: chance.next() * tookMs };
}
