import { expect } from "bun:test";
import { CodedError, MEMBERSHIPS, type Membership } from "@porchlight/core";
import type { Store } from "@porchlight/server";
import Database from "better-sqlite3";
import fc from "fast-check";
import { turns } from "./clock.ts";
import { Follower } from "./follower.ts";
import type { TestServer } from "./server.ts";
import { NOW } from "./store.ts";

const PEOPLE = ["ann", "bob", "cy"] as const;
const ROOMS = ["lobby", "attic"] as const;

/** What happens in a tenant. */
type Write = { readonly turns: number } & (
  | { readonly kind: "say" | "rename"; readonly who: string; readonly room: string }
  | {
      readonly kind: "member";
      readonly who: string;
      readonly room: string;
      readonly membership: Membership;
    }
);

/** What the one who follows it does meanwhile. */
type Follow = { readonly turns: number } & (
  | { readonly kind: "connect" }
  | { readonly kind: "cut" }
  | { readonly kind: "poll"; readonly limit: number; readonly timeout: number }
);

/** Both at once, each act some turns of the event loop after the one before it. */
export interface Story {
  readonly writes: readonly Write[];
  readonly follows: readonly Follow[];
}

const gap = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 8 }));
const who = fc.constantFrom(...PEOPLE);
const room = fc.constantFrom(...ROOMS);
const constant = <T extends string>(value: T): fc.Arbitrary<T> => fc.constant(value);
const anyWrite: fc.Arbitrary<Write> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ turns: gap, kind: constant("say"), who, room }) },
  { weight: 1, arbitrary: fc.record({ turns: gap, kind: constant("rename"), who, room }) },
  {
    weight: 3,
    arbitrary: fc.record({
      turns: gap,
      kind: constant("member"),
      who: fc.oneof(constant("ann"), who),
      room,
      membership: fc.oneof(constant("join"), fc.constantFrom(...MEMBERSHIPS)),
    }),
  },
);
const anyFollow: fc.Arbitrary<Follow> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ turns: gap, kind: constant("connect") }) },
  { weight: 1, arbitrary: fc.record({ turns: gap, kind: constant("cut") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      turns: gap,
      kind: constant("poll"),
      limit: fc.integer({ min: 1, max: 5 }),
      timeout: fc.constantFrom(0, 1_000, 60_000),
    }),
  },
);

/** A story in which much happens while somebody comes and goes. */
export const anyStory: fc.Arbitrary<Story> = fc.record({
  writes: fc.array(anyWrite, { minLength: 50, maxLength: 150, size: "max" }),
  follows: fc.array(anyFollow, { minLength: 5, maxLength: 15, size: "max" }),
});

/** The ids of the events of a tenant that Ann may see above a position: what the contract says, from nothing but what happened. */
function visibleToAnn(file: string, tenant_id: string, above: number): string[] {
  using db = new Reader(file);
  const joined = new Set<unknown>();
  return db.events(tenant_id).flatMap(({ position, room_id, type, event_id, body }) => {
    const isOwn = type === "swp.room.member" && body.participant_id === "ann";
    if (isOwn && body.membership === "join") joined.add(room_id);
    const isVisible = room_id === null || isOwn || joined.has(room_id);
    if (isOwn && body.membership !== "join") joined.delete(room_id);
    return isVisible && position > above ? [event_id] : [];
  });
}

interface Written {
  readonly position: number;
  readonly room_id: string | null;
  readonly type: string;
  readonly event_id: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Another connection to the file of a server. */
class Reader implements Disposable {
  readonly #db: Database.Database;

  constructor(file: string) {
    this.#db = new Database(file, { readonly: true });
  }

  events(tenant_id: string): Written[] {
    const rows = this.#db
      .prepare<[string], Omit<Written, "body"> & { body_json: string }>(
        "select position, room_id, type, event_id, body_json from events where tenant_id = ? order by position",
      )
      .all(tenant_id);
    return rows.map(({ body_json, ...row }) => ({ ...row, body: JSON.parse(body_json) }));
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

/** Plays a story in a tenant of its own, and compares what Ann heard with what she may see. */
export async function playStory(
  server: TestServer,
  file: string,
  tenant_id: string,
  { writes, follows }: Story,
): Promise<void> {
  const ann = await server.person("ann", { tenant_id });
  for (const id of PEOPLE.slice(1)) await server.person(id, { tenant_id });
  for (const room_id of ROOMS) {
    await server.store.putRoom({ tenant_id, room_id }, {}, NOW);
    for (const who of PEOPLE)
      await write(server.store, tenant_id, {
        kind: "member",
        who,
        room: room_id,
        membership: "join",
      });
  }
  const [follower, witness] = [new Follower(ann, server), new Follower(ann, server)];
  await witness.connect();
  const written = writeAll(server.store, tenant_id, writes);
  for (const act of follows) {
    await turns(act.turns);
    await follow(follower, act);
  }
  await written;
  for (const each of [witness, follower]) {
    if (each.begin === undefined) await each.connect();
    const expected = visibleToAnn(file, tenant_id, each.begin ?? 0);
    await each.until(expected.at(-1));
    expect(each.events).toEqual(expected);
    await each.cut();
  }
}

async function follow(follower: Follower, act: Follow): Promise<void> {
  if (act.kind === "connect") await follower.connect();
  else if (act.kind === "cut") await follower.cut();
  else await follower.poll(act);
}

/** Nobody waits for an answer before the next write; who is in no room is refused to say something in it. */
async function writeAll(store: Store, tenant_id: string, writes: readonly Write[]): Promise<void> {
  const outcomes: Promise<unknown>[] = [];
  for (const act of writes) {
    await turns(act.turns);
    outcomes.push(write(store, tenant_id, act).catch(refused));
  }
  await Promise.all(outcomes);
}

function refused(error: unknown): void {
  if (!(error instanceof CodedError) || error.code !== "SW_NOT_MEMBER") throw error;
}

type Act<W> = W extends unknown ? Omit<W, "turns"> : never;

function write(store: Store, tenant_id: string, act: Act<Write>): Promise<unknown> {
  const { who, room: room_id } = act;
  const person = { tenant_id, participant_id: who };
  if ("membership" in act)
    return store.putMember({ ...person, room_id }, { membership: act.membership }, NOW);
  if (act.kind === "rename")
    return store.updateProfile(person, { display_name: crypto.randomUUID() }, NOW);
  return store.appendEvent({ tenant_id, room_id }, { sender_id: who, content: {} }, NOW);
}
