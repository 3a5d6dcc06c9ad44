import type { Awareness } from "y-protocols/awareness";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { Arrivals } from "./arrivals.ts";
import type { Person, TestServer } from "./server.ts";
import type { Closed } from "./stream.ts";
import { MESSAGE, SYNC, sync } from "./yjs-wire.ts";

/** An entry as somebody sees it. */
export interface SeenEntry {
  readonly id: number;
  readonly name: string;
  readonly presence: string;
  readonly typing: boolean;
  readonly device_id: string | null;
  // What an app adds is what a test is about.
  // biome-ignore lint/suspicious/noExplicitAny: anything at all
  readonly state: any;
}

/** What becomes of somebody's entries on somebody's screen. */
export interface Flicker {
  readonly what: "added" | "updated" | "removed";
  readonly id: number;
}

/** Asks what there is of an empty document. */
const SYNC_STEP_1 = sync(SYNC.step1, Uint8Array.of(0));

interface Options {
  readonly device_id?: string;
  readonly token?: string;
  readonly doc?: Y.Doc;
  /** Off unless said otherwise: all clients of a test are in one process, and would hear each other without the server. */
  readonly broadcastChannel?: boolean;
  readonly params?: Readonly<Record<string, string>>;
}

/** The published client of y-websocket, in a room of a server. */
export class YjsClient implements Disposable {
  readonly provider: WebsocketProvider;
  /** What has become of others' entries since it was asked last. */
  readonly flickers: Flicker[] = [];
  readonly #happenings = new Arrivals<string>();
  readonly #closings = new Arrivals<Closed>();

  constructor(
    server: Pick<TestServer, "url">,
    person: Person,
    room: string,
    options: Options = {},
  ) {
    const { device_id = `${person.id}-laptop`, token = person.token, doc = new Y.Doc() } = options;
    this.provider = new WebsocketProvider(`${server.url.replace("http", "ws")}/v1/yjs`, room, doc, {
      disableBc: options.broadcastChannel !== true,
      params: { token, device_id, ...options.params },
    });
    const { provider } = this;
    provider.awareness.on(
      "change",
      (changed: Record<Flicker["what"], number[]>, origin: unknown) => {
        if (origin !== "local")
          for (const what of ["added", "updated", "removed"] as const)
            this.flickers.push(...changed[what].map((id) => ({ what, id })));
        this.#happenings.add("change");
      },
    );
    for (const event of ["status", "sync"] as const)
      provider.on(event, () => this.#happenings.add(event));
    provider.on("connection-close", (event) => {
      this.#happenings.add("close");
      if (event !== null) this.#closings.add({ code: event.code, reason: event.reason });
    });
  }

  /** Opens one and waits until it is synchronised. */
  static async open(
    server: Pick<TestServer, "url">,
    person: Person,
    room: string,
    options: Options = {},
  ): Promise<YjsClient> {
    const client = new YjsClient(server, person, room, options);
    await client.synced();
    return client;
  }

  get id(): number {
    return this.awareness.clientID;
  }

  get awareness(): Awareness {
    return this.provider.awareness;
  }

  /** Sets fields of its own state. */
  say(fields: Readonly<Record<string, unknown>>): void {
    this.awareness.setLocalState({ ...this.awareness.getLocalState(), ...fields });
  }

  /** The entries of others, by name and id. */
  get seen(): SeenEntry[] {
    const others = [...this.awareness.getStates()].filter(([id]) => id !== this.id);
    const entries = others.map(([id, state]) => ({
      id,
      name: state.user?.name,
      presence: state.presence,
      typing: state.typing,
      device_id: state.device_id,
      state,
    }));
    return entries.sort((a, b) => `${a.name} ${a.id}`.localeCompare(`${b.name} ${b.id}`));
  }

  /** The entries of a person. */
  of(name: string): SeenEntry[] {
    return this.seen.filter((entry) => entry.name === name);
  }

  /** Resolves as soon as something holds. */
  async until(holds: () => boolean): Promise<void> {
    await this.#happenings.until((happenings) => {
      happenings.length = 0;
      return holds() ? true : undefined;
    });
  }

  /** Resolves as soon as a person is seen in this way, and answers the entry. */
  async sees(name: string, fits: (entry: SeenEntry) => boolean = () => true): Promise<SeenEntry> {
    await this.until(() => this.of(name).some(fits));
    const entry = this.of(name).find(fits);
    if (entry === undefined) throw new Error(`Cannot see ${name} any more`);
    return entry;
  }

  /** Resolves as soon as nothing of a person is seen. */
  misses(name: string): Promise<void> {
    return this.until(() => this.of(name).length === 0);
  }

  synced(): Promise<void> {
    return this.until(() => this.provider.synced);
  }

  /** Resolves once the server has heard everything that it said, and it has heard everything that it was told before. */
  async settled(): Promise<void> {
    const { ws } = this.provider;
    const answered = new Promise<void>((resolve) => {
      ws?.addEventListener("message", ({ data }) => {
        if (new Uint8Array(data as ArrayBuffer)[0] === MESSAGE.sync) resolve();
      });
    });
    ws?.send(SYNC_STEP_1);
    await answered;
  }

  /** What the server closes it with next. */
  async closed(): Promise<Closed> {
    const closed = await this.#closings.until((closings) => closings.shift());
    if (closed === undefined) throw new Error("Cannot be closed any more");
    return closed;
  }

  /** Breaks the connection without a word; the client comes back by itself. */
  cut(): void {
    (this.provider.ws as unknown as { terminate(): void } | null)?.terminate();
  }

  /** Leaves for good, as an app does. */
  destroy(): void {
    this.provider.destroy();
    this.provider.doc.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}
