import {
  CodedError,
  type EventFrame,
  type MemberBody,
  type ParticipantBody,
  type RoomBody,
} from "@porchlight/core";
import type {
  Announcement,
  RoomKey,
  RoomPart,
  RoomReading,
  Store,
  StoreOptions,
} from "@porchlight/server/store";

/** The instant of everything that happens in a store under test: Unix milliseconds. */
export const NOW = Date.parse("2026-03-02T09:00:00.000Z");

/** Every part of a room. */
export const EVERYTHING: readonly RoomPart[] = ["members", "read", "plan", "sidekicks", "call"];

/** A database of one test, gone when the test is over. */
export interface TestDatabase extends AsyncDisposable {
  /** Opens a store on it, beside those that are open already. */
  open(options: Opening): Store | Promise<Store>;
}

/** How a store is opened, but for where it is. */
export type Opening = Omit<StoreOptions, "url">;

/** Makes an empty database. */
export type MakeDatabase = () => TestDatabase | Promise<TestDatabase>;

/** A store on an empty database, what it announced, and short ways to fill it. Its tenant is `acme` unless another is named. */
export class TestStore implements AsyncDisposable {
  readonly store: Store;
  readonly announced: readonly Announcement[];
  readonly #database: TestDatabase;
  readonly #opened: Store[];

  private constructor(database: TestDatabase, store: Store, announced: readonly Announcement[]) {
    this.store = store;
    this.announced = announced;
    this.#database = database;
    this.#opened = [store];
  }

  static async on(makeDatabase: MakeDatabase, options: Partial<Opening> = {}): Promise<TestStore> {
    const database = await makeDatabase();
    const announced: Announcement[] = [];
    const announce = (announcement: Announcement): void => void announced.push(announcement);
    const store = await database.open(complete({ announce, ...options }));
    return new TestStore(database, store, announced);
  }

  /** Another store on the same database, closed with this one. */
  async beside(options: Partial<Opening> = {}): Promise<Store> {
    const store = await this.#database.open(complete(options));
    this.#opened.push(store);
    return store;
  }

  /** What was announced while `act` ran. */
  async heard(act: () => Promise<unknown>): Promise<readonly Announcement[]> {
    const before = this.announced.length;
    await act();
    return this.announced.slice(before);
  }

  /** Adds people, and their tenant if there is none. */
  async people(
    ids: readonly string[],
    body: ParticipantBody = {},
    tenant_id = "acme",
  ): Promise<void> {
    await this.store.putTenant(tenant_id, {});
    // Handed in together they share commits, and are written in order.
    await Promise.all(
      ids.map((participant_id) =>
        this.store.putParticipant({ tenant_id, participant_id }, body, NOW),
      ),
    );
  }

  /** Adds a room, and the people who have joined it. */
  async room(
    room_id: string,
    members: readonly string[],
    body: RoomBody = {},
    tenant_id = "acme",
  ): Promise<RoomKey> {
    await this.people(members, {}, tenant_id);
    await this.store.putRoom({ tenant_id, room_id }, body, NOW);
    await Promise.all(members.map((id) => this.member({ tenant_id, room_id }, id)));
    return { tenant_id, room_id };
  }

  async member(room: RoomKey, participant_id: string, body: MemberBody = {}): Promise<void> {
    await this.store.putMember({ ...room, participant_id }, body, NOW);
  }

  /** Sends a message. */
  async say(room: RoomKey, sender_id: string, text = "hello"): Promise<EventFrame> {
    return this.store.appendEvent(room, { sender_id, content: { body: text } }, NOW);
  }

  /** A room that exists, with all of its parts. */
  async look(room: RoomKey, viewer: string, store: Store = this.store): Promise<RoomReading> {
    const reading = await store.room(room, viewer, EVERYTHING);
    if (reading === undefined) throw new Error(`Cannot look at "${room.room_id}": no such room`);
    return reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#opened) await store.close();
    await this.#database[Symbol.asyncDispose]();
  }
}

/** What a promise was refused with. */
export async function refusalOf(promise: Promise<unknown>): Promise<CodedError> {
  const outcome = await promise.then(
    () => "an answer",
    (error: unknown) => error,
  );
  if (outcome instanceof CodedError) return outcome;
  throw new Error(`Cannot find a refusal: there was ${String(outcome)}`);
}

function complete(options: Partial<Opening>): Opening {
  return {
    server_name: "localhost",
    newId: () => crypto.randomUUID(),
    announce: () => undefined,
    ...options,
  };
}
