import { isDeepStrictEqual } from "node:util";
import { STAND_IN_IDS_FROM } from "@porchlight/core/awareness";
import { systemClock } from "@porchlight/core/clock";
import { WebsocketProvider } from "y-websocket";
import { Doc, encodeStateAsUpdate } from "yjs";
import { Arrivals } from "./arrivals.ts";

/** How long after one word was heard the next is said. */
const PACE_MS = 20;
/** A word that is not heard for so long is lost. */
const LOST_MS = 10_000;
/** Theirs are the same each time, so that a seed makes the same messages about them. */
const CLIENT_IDS = { listener: 3_000_000_001, speaker: 3_000_000_002 } as const;
const EMPTY_UPDATE_BYTES = 2;
const STATES: readonly unknown[] = ["online", "idle", "busy"];

/** Whose neighbours they are: somebody who does what one should not, in the same room. */
interface Street {
  readonly url: string;
  readonly room: string;
  /** Whoever else may be in the room. */
  readonly others: readonly string[];
  readonly listener: Resident;
  readonly speaker: Resident;
}

interface Resident {
  readonly id: string;
  readonly token: string;
}

type State = Readonly<Record<string, unknown>>;

/**
 * Two people in a room, each with the published client of y-websocket. What
 * one says the other has to hear, word for word, and of everybody else only
 * what may be told of them.
 */
export class Neighbours implements AsyncDisposable {
  readonly #street: Street;
  readonly #speaker: WebsocketProvider;
  readonly #listener: WebsocketProvider;
  readonly #heard = new Arrivals<number>();
  readonly #cases = new Arrivals<unknown>();
  readonly #faults = new Set<string>();
  readonly #talked: Promise<void>;
  #said = 0;
  #slowestMs = 0;
  #isOver = false;

  private constructor(street: Street) {
    this.#street = street;
    this.#listener = this.#open("listener");
    this.#speaker = this.#open("speaker");
    this.#listener.awareness.setLocalState({ listens: true });
    this.#listener.awareness.on("update", (change: { added: number[]; updated: number[] }) =>
      this.#look([...change.added, ...change.updated]),
    );
    this.#listener.awareness.on("change", ({ removed }: { removed: number[] }) => {
      if (removed.includes(this.speakerId)) this.#faults.add("who speaks was told to be gone");
    });
    this.#talked = this.#talk();
  }

  /** Resolves once one has heard the other. */
  static async meet(street: Street): Promise<Neighbours> {
    const neighbours = new Neighbours(street);
    await neighbours.settled();
    return neighbours;
  }

  /** The client id of who speaks. */
  get speakerId(): number {
    return CLIENT_IDS.speaker;
  }

  /** The client id of who listens. */
  get listenerId(): number {
    return CLIENT_IDS.listener;
  }

  /** What is wrong with what they heard so far. */
  get faults(): readonly string[] {
    return [...this.#faults];
  }

  /** How many words were heard, and how long the slowest took, in milliseconds. */
  get talk(): { readonly words: number; readonly slowestMs: number } {
    return { words: this.#heard.items.length, slowestMs: Math.round(this.#slowestMs) };
  }

  /** Everything that the others' states had as `case`, once each, in order. */
  get cases(): readonly unknown[] {
    return [...new Set(this.#cases.items)];
  }

  /** How many ids the others have, without those that stand in. */
  get strangers(): number {
    const ids = [...this.#listener.awareness.getStates().keys()];
    return ids.filter((id) => id < STAND_IN_IDS_FROM && !this.#isOurs(id)).length;
  }

  /** Resolves once another word is said and heard, and with it what was told before. */
  async settled(): Promise<void> {
    const next = this.#said + 1;
    await this.#heard.until((words) => (words.includes(next) ? true : undefined));
  }

  /** Resolves once a state of others has this as `case`. */
  async hears(name: unknown): Promise<void> {
    await this.#cases.until((cases) => (cases.includes(name) ? true : undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#talked;
    for (const provider of [this.#listener, this.#speaker]) {
      provider.destroy();
      provider.doc.destroy();
    }
  }

  #open(part: keyof typeof CLIENT_IDS): WebsocketProvider {
    const { url, room } = this.#street;
    const { id, token } = this.#street[part];
    const doc = new Doc();
    doc.clientID = CLIENT_IDS[part];
    const provider = new WebsocketProvider(
      `${url.replace("http", "ws")}/v1/yjs`,
      room,
      doc,
      // Without this, both would hear each other without the server.
      { params: { token, device_id: `${id}-desk` }, disableBc: true },
    );
    provider.on("connection-close", (event) => {
      if (this.#isOver) return;
      this.#faults.add(`${id} was closed with ${event?.code} ${event?.reason}`);
      this.#end();
    });
    return provider;
  }

  async #talk(): Promise<void> {
    const { monotonic, timer } = systemClock();
    while (!this.#isOver) {
      const saidAt = monotonic();
      const word = this.#said + 1;
      this.#said = word;
      const callOff = timer(LOST_MS, () => {
        this.#faults.add(`word ${word} was not heard`);
        this.#end();
      });
      this.#speaker.awareness.setLocalState({ word });
      await this.#heard.until((words) => (words.includes(word) ? true : undefined));
      callOff();
      this.#slowestMs = Math.max(this.#slowestMs, monotonic() - saidAt);
      await new Promise<void>((resolve) => void timer(PACE_MS, resolve));
    }
  }

  /** Nobody waits any longer for what will not come. */
  #end(): void {
    this.#isOver = true;
    this.#heard.end();
    this.#cases.end();
  }

  #look(ids: readonly number[]): void {
    for (const id of ids) {
      const state = this.#listener.awareness.getStates().get(id);
      const fault = this.#faultOf(id, state);
      if (fault !== undefined) this.#faults.add(`${fault}: ${id} ${JSON.stringify(state)}`);
      if (id === this.speakerId) this.#heard.add(Number(state?.word));
      else if (state !== undefined && "case" in state) this.#cases.add(state.case);
    }
    const { byteLength } = encodeStateAsUpdate(this.#listener.doc);
    if (byteLength > EMPTY_UPDATE_BYTES) this.#faults.add("the document is not empty");
  }

  #faultOf(id: number, state: State | undefined): string | undefined {
    if (id === this.listenerId)
      return isDeepStrictEqual(state, { listens: true }) ? undefined : "own state changed";
    const user = state?.user as State | undefined;
    const { speaker, others } = this.#street;
    if (id === this.speakerId && user?.participant_id !== speaker.id) return "somebody else speaks";
    if (id === this.speakerId && state?.word !== this.#said) return "this was not said";
    if (![speaker.id, ...others].includes(String(user?.participant_id))) return "who is this";
    if (user?.participant_id === speaker.id && !this.#isOurs(id) && id < STAND_IN_IDS_FROM)
      return "who speaks has another id";
    const isRight = STATES.includes(state?.presence) && typeof state?.typing === "boolean";
    return isRight ? undefined : "no such state";
  }

  #isOurs(id: number): boolean {
    return id === this.speakerId || id === this.listenerId;
  }
}
