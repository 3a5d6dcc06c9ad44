import { Child } from "../support/child.ts";
import { Client } from "./client.ts";
import { Intruder } from "./intruder.ts";
import { within } from "./waiting.ts";

const ANSWER_WITHIN_MS = 1_000;
const LISTEN_WITHIN_MS = 20_000;
/** The shell ends the process when its own standard input ends: with whoever started it, however that ended. */
const GUARD = '"$0" "$@" 2>&1 & cat >/dev/null; kill -9 $!';

/** Where a person enters a room. */
export interface Door {
  readonly speaks: "y-websocket" | "hocuspocus";
  /** Of WebSockets, without the room. */
  readonly url: string;
  readonly room: string;
  readonly person: string;
  readonly params: Readonly<Record<string, string>>;
}

/** A server's process. */
export interface Running extends AsyncDisposable {
  /** Of HTTP. */
  readonly url: string;
  /** Lets a person into a room; both are made if they have to be. */
  door(room: string, person: string): Promise<Door>;
}

/** A server that is compared, exactly as it is run. */
export interface Contender {
  readonly name: string;
  readonly version: string;
  readonly runtime: string;
  /** The published client with which it is used. */
  readonly client: string;
  readonly settings: string;
  start(): Promise<Running>;
}

/** A contender as tables name it. */
export function labelOf({ name, version }: Contender): string {
  return `${name} ${version}`;
}

/** A contender that runs. */
export class Server implements AsyncDisposable {
  readonly contender: Contender;
  #running: Running;
  #rooms = 0;

  private constructor(contender: Contender, running: Running) {
    this.contender = contender;
    this.#running = running;
  }

  static async start(contender: Contender): Promise<Server> {
    return new Server(contender, await contender.start());
  }

  /** A room in which nobody has been. */
  room(): Room {
    this.#rooms += 1;
    return new Room(this.#running, this.#rooms);
  }

  /** Whether it still answers. */
  async isUp(): Promise<boolean> {
    const answer = fetch(this.#running.url).then(
      () => true,
      () => false,
    );
    return (await within(ANSWER_WITHIN_MS, answer)) ?? false;
  }

  /** Starts it once more, with nothing in it. */
  async restart(): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
    this.#running = await this.contender.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
  }
}

/** A room, and whoever is in it, who leave when it is disposed of. */
export class Room implements Disposable {
  readonly #running: Running;
  readonly #number: number;
  readonly #inside = new DisposableStack();

  constructor(running: Running, number: number) {
    this.#running = running;
    this.#number = number;
  }

  /** People are others in every room: what one is told of them in one has no part in another. */
  door(person: string): Promise<Door> {
    return this.#running.door(`room-${this.#number}`, `${person}-${this.#number}`);
  }

  /** Lets in somebody with a published provider. Resolves when its connection is open. */
  async enter(person: string): Promise<Client> {
    const client = this.#inside.use(new Client(await this.door(person)));
    await client.opens(1);
    return client;
  }

  /** Lets in somebody who sends what no provider does. */
  async intrude(person: string): Promise<Intruder> {
    return this.#inside.use(await Intruder.enter(await this.door(person)));
  }

  [Symbol.dispose](): void {
    this.#inside.dispose();
  }
}

/** Starts a process that does not outlive this one. */
export function guarded(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Child {
  return new Child(["/bin/sh", "-c", GUARD, ...command], { env });
}

/** The URL at which a started process says that it listens: what `pattern` captures of a line. */
export async function listening(child: Child, pattern: RegExp): Promise<string> {
  const printed = child.printed((line) => pattern.test(line)).then(() => true);
  const isThere = await within(LISTEN_WITHIN_MS, printed);
  const url = child.lines.map((line) => pattern.exec(line)?.[1]).find((found) => found);
  if (isThere && url !== undefined) return url;
  await child.kill();
  throw new Error(`Cannot start the server: ${child.lines.join("\n")}`);
}
