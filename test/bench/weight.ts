import { pass } from "../peers/waiting.ts";
import { temporaryFolder } from "../support/process.ts";
import { Collection } from "./collection.ts";
import { openSockets, type RawSocket } from "./raw-sockets.ts";
import { type Subject, slabKib } from "./subject.ts";
import { descriptorsOf } from "./vital-signs.ts";

/** Sockets that come and go again at once before a server counts as empty. */
const WARM_UP = 100;
/** What is no longer needed is given back to the kernel a moment after a collection. */
const SETTLE_MS = 300;

/** What is open besides an empty server, for each socket. */
export interface Weight {
  readonly residentKib: number;
  /** What the kernel keeps for the two ends, both of which are on this machine. */
  readonly slabKib: number;
  readonly descriptors: number;
  /** What is resident of the empty server, in MiB. */
  readonly emptyMib: number;
}

/** What is weighed: a server, by whichever way it is started, with so many sockets. */
export interface Weighing {
  readonly start: (env: Readonly<Record<string, string>>) => Promise<Subject>;
  readonly target: (index: number) => string;
  readonly people: number;
  /** How often sockets come and go before: the code of the server is warm then, and its heap small. */
  readonly warmUps: number;
}

/** Weighs sockets that have subscribed to everybody's presence and said once that they are there. */
export async function weigh({ start, target, people, warmUps }: Weighing): Promise<Weight> {
  using folder = temporaryFolder();
  const collection = new Collection(folder.path);
  await using subject = await start(collection.env);
  const crowd = new Crowd(subject.url, target);
  for (let time = 0; time < warmUps; time += 1) {
    await crowd.come(Math.min(WARM_UP, people));
    await crowd.go();
  }
  const empty = await stateOf(subject, collection);
  await crowd.come(people);
  const full = await stateOf(subject, collection);
  crowd.cut();
  return {
    residentKib: (full.residentKib - empty.residentKib) / people,
    slabKib: (full.slabKib - empty.slabKib) / people,
    descriptors: (full.descriptors - empty.descriptors) / people,
    emptyMib: empty.residentKib / 1_024,
  };
}

interface State {
  readonly residentKib: number;
  readonly slabKib: number;
  readonly descriptors: number;
}

async function stateOf(subject: Subject, collection: Collection): Promise<State> {
  await collection.collect();
  await pass(SETTLE_MS);
  await collection.collect();
  return {
    residentKib: subject.residentKib,
    slabKib: slabKib(),
    descriptors: descriptorsOf(subject.pid),
  };
}

/** People on a server, who do not hear of one another's coming one by one. */
class Crowd {
  readonly #url: string;
  readonly #target: (index: number) => string;
  #sockets: readonly RawSocket[] = [];
  #answered = 0;
  #all = Promise.withResolvers<void>();

  constructor(url: string, target: (index: number) => string) {
    this.#url = url;
    this.#target = target;
  }

  /** Resolves when so many are there and everything that they have said is known. */
  async come(people: number): Promise<void> {
    this.#answered = 0;
    this.#all = Promise.withResolvers();
    const listener = {
      message: (_socket: RawSocket, bytes: Buffer, from: number, to: number) => {
        if (!bytes.toString("latin1", from, Math.min(to, from + 20)).startsWith(ANSWER)) return;
        this.#answered += 1;
        if (this.#answered === people) this.#all.resolve();
      },
    };
    const opening = { url: this.#url, target: this.#target, listener };
    this.#sockets = await openSockets(opening, people);
    for (const socket of this.#sockets) {
      socket.say(SUBSCRIPTION);
      socket.say(HEARTBEAT);
    }
    await this.#all.promise;
  }

  /** All sign off. */
  async go(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.leave()));
  }

  cut(): void {
    for (const socket of this.#sockets) socket.cut("RST");
  }
}

const ANSWER = '{"type":"heartbeat"';
const SUBSCRIPTION = JSON.stringify({ type: "subscribe", presence: "all" });
const HEARTBEAT = JSON.stringify({ type: "heartbeat", state: "online", ack: true });
