import { type Person, TestServer } from "../support/server.ts";
import type { StreamClient } from "../support/stream.ts";
import type { Figure } from "./bench.ts";

const TICK_MS = 30_000;
const TICKS_PER_HOUR = 3_600_000 / TICK_MS;
const HOURS = 9;
/** Away from the keyboard, in hours since the morning. */
const BREAKS = [
  { from: 1.5, to: 1.75 },
  { from: 4, to: 4.75 },
  { from: 7, to: 7.25 },
] as const;

/** What somebody does by the way, and how often in a day. */
interface Habit {
  readonly name: string;
  readonly times: number;
  readonly act: (day: Day, time: number) => Promise<void>;
}

/** What somebody does between the morning and the evening of a day of nine hours. */
const HABITS: readonly Habit[] = [
  { name: "typing, three signals a message", times: 40, act: (day) => day.type() },
  { name: "messages sent", times: 40, act: (day) => day.send() },
  { name: "read markers moved", times: 30, act: (day) => day.read() },
  { name: "rooms opened", times: 30, act: (day) => day.open() },
  { name: "states chosen by hand", times: 4, act: (day, time) => day.choose(time) },
  { name: "connections lost, back after 5 s", times: 3, act: (day) => day.reconnect() },
  { name: "preferences changed", times: 1, act: (day) => day.prefer() },
];

/** What was asked of the store for one thing. */
interface Tally {
  commits: number;
  writes: number;
  times: number;
}

/** The habits of a day, in a sentence. */
export const DAY: string = `a day of ${HOURS} hours: a stream and a heartbeat every ${TICK_MS / 1_000} s, three breaks of 75 minutes in all; ${HABITS.map(({ name, times }) => `${times} ${name}`).join("; ")}; signing in and off once`;

/** How often somebody's day writes to the store: the server as it is, on a clock that is moved. @param hours how long the day is. */
export async function dayFigures(hours: number = HOURS): Promise<Figure[]> {
  const tallies = new Map<string, Tally>();
  let isWriting = false;
  let doing = "";
  await using server = await TestServer.start({
    trace: (sql) => {
      const tally = tallies.get(doing);
      if (tally === undefined) return;
      if (/^\s*(insert|update|delete|replace)\b/i.test(sql)) {
        tally.writes += 1;
        isWriting = true;
      }
      if (!/^\s*commit\b/i.test(sql)) return;
      tally.commits += Number(isWriting);
      isWriting = false;
    },
  });
  const day = await Day.of(server);
  const note = async (what: string, act: () => Promise<void>): Promise<void> => {
    const tally = tallies.get(what) ?? { commits: 0, writes: 0, times: 0 };
    tallies.set(what, tally);
    tally.times += 1;
    doing = what;
    await act();
    doing = "";
  };
  await note("signing in and off", () => day.begin());
  const ticks = hours * TICKS_PER_HOUR;
  for (let tick = 0; tick < ticks; tick += 1) {
    await note("heartbeats", () => day.beat(tick));
    for (const { name, times, act } of HABITS) {
      const [before, after] = [tick, tick + 1].map((each) => Math.floor((each * times) / ticks));
      if (before !== after) await note(name, () => act(day, before ?? 0));
      // What others do is theirs.
      if (before !== after && name === "read markers moved") await day.hearFromOthers();
    }
  }
  await note("signing in and off", () => day.end());
  return figuresOf(tallies, hours);
}

/** Somebody's day. */
class Day {
  readonly #server: TestServer;
  readonly #ann: Person;
  readonly #bob: Person;
  #stream: StreamClient | undefined;
  #last = "";

  private constructor(server: TestServer, ann: Person, bob: Person) {
    this.#server = server;
    this.#ann = ann;
    this.#bob = bob;
  }

  static async of(server: TestServer): Promise<Day> {
    const [ann, bob] = [await server.person("ann"), await server.person("bob")];
    await server.room("lounge", [ann, bob]);
    const day = new Day(server, ann, bob);
    await day.hearFromOthers();
    return day;
  }

  async begin(): Promise<void> {
    for (const path of ["/v1/me", "/v1/me/preferences", "/v1/rooms"]) await this.#ann.get(path);
    this.#stream = await this.#ann.stream({ device_id: "laptop", state: "online" });
    await this.open();
  }

  async beat(tick: number): Promise<void> {
    await this.#server.clock.advance(TICK_MS);
    const hour = tick / TICKS_PER_HOUR;
    const pause = BREAKS.find(({ from, to }) => hour >= from && hour < to);
    const idle_for_ms = pause === undefined ? 0 : Math.round((hour - pause.from) * 3_600_000);
    this.#stream?.send({ type: "heartbeat", state: "online", idle_for_ms, ack: true });
    await this.#stream?.type("heartbeat");
  }

  async type(): Promise<void> {
    for (let signal = 0; signal < 3; signal += 1) {
      this.#stream?.send({ type: "typing", room_id: "lounge", typing: true });
      await this.#stream?.heard();
      await this.#server.clock.advance(2_500);
    }
  }

  async send(): Promise<void> {
    this.#last = await this.#say(this.#ann);
  }

  async read(): Promise<void> {
    const { status } = await this.#ann.put("/v1/rooms/lounge/read-marker", {
      event_id: this.#last,
    });
    if (status !== 200) throw new Error(`Cannot move a read marker: ${status}`);
  }

  async open(): Promise<void> {
    await this.#ann.get("/v1/rooms/lounge/state");
    await this.#ann.get("/v1/rooms/lounge/messages");
  }

  async choose(time: number): Promise<void> {
    await this.#ann.put("/v1/me/presence", time % 2 === 0 ? { state: "busy" } : { auto: true });
  }

  async reconnect(): Promise<void> {
    if (this.#stream !== undefined) await this.#server.cut(this.#stream);
    await this.#server.clock.advance(5_000);
    this.#stream = await this.#ann.stream({ device_id: "laptop", state: "online" });
  }

  async prefer(): Promise<void> {
    await this.#ann.put("/v1/me/preferences", { quiet_hours: { enabled: true } });
  }

  /** Somebody else says something. */
  async hearFromOthers(): Promise<void> {
    this.#last = await this.#say(this.#bob);
  }

  async end(): Promise<void> {
    this.#stream?.send({ type: "bye" });
    await this.#stream?.closed;
    await this.#server.clock.advance(60_000);
  }

  async #say(who: Person): Promise<string> {
    const content = { msgtype: "m.text", body: "That is a plan" };
    const { status, body } = await who.post("/v1/rooms/lounge/send", { content });
    if (status >= 300) throw new Error(`Cannot send: ${JSON.stringify(body)}`);
    return body.data.event_id ?? body.data.id;
  }
}

function figuresOf(tallies: ReadonlyMap<string, Tally>, hours: number): Figure[] {
  const sum = (key: keyof Tally): number =>
    [...tallies.values()].reduce((total, each) => total + each[key], 0);
  const figure = (at: string, what: string, value: number): Figure => ({
    at,
    of: "Porchlight, SQLite",
    what,
    windows: [value],
  });
  return [
    figure("a day of one user", "commits that write, a user-hour", sum("commits") / hours),
    figure("a day of one user", "statements that write, a user-hour", sum("writes") / hours),
    ...[...tallies].map(([name, { commits, times }]) =>
      figure(`${name}, ${times} times`, "commits that write, a user-hour", commits / hours),
    ),
  ];
}
