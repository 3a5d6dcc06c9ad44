import type { ManualState } from "@porchlight/core";
import type { Announcement, PersonKey, PresenceFacts, Store } from "../../server/store/store.ts";
import type { Chance } from "../support/chance.ts";
import type { Disturbance } from "./link.ts";
import type { ServerProcess } from "./server-process.ts";
import type { TrueTime } from "./true-time.ts";
import { STORE_GIVEN_UP_MS, type Weather } from "./weather.ts";

export const TENANT = "acme";
export const ROOM = "lobby";
/** A model: always online. */
export const MACHINE = "robo";

/** How a store that is away behaves: it says so, says nothing though it may have heard, or takes its time. */
export type Absence = "refuses" | "hangs" | "lingers";

/** What of the store a process uses. */
export interface ProcessStore
  extends Pick<Store, "presenceFacts" | "presenceFactsOf" | "positions" | "eventsAfter"> {
  setManual(key: PersonKey, manual: ManualState | undefined, wall: number): Promise<number>;
  /** Makes an event durable, and answers how to announce it. */
  send(key: PersonKey): Promise<Announcement>;
}

/** A choice that was made durable. */
export interface Choice {
  readonly at: number;
  readonly manual: ManualState | undefined;
  readonly manual_at: number;
  /** The process that made it durable. */
  readonly by: ServerProcess;
}

/** How a process reaches the store. */
export class StoreLink {
  readonly end: ServerProcess;
  readonly disturbances: Disturbance[] = [];
  absence: Absence | undefined;
  isDead = false;

  constructor(end: ServerProcess) {
    this.end = end;
  }

  leave(absence: Absence, now: number): void {
    this.return(now);
    this.absence = absence;
    this.disturbances.push({ from: now, to: Number.POSITIVE_INFINITY });
  }

  return(now: number): void {
    if (this.absence === undefined) return;
    this.absence = undefined;
    const last = this.disturbances.at(-1);
    if (last !== undefined) last.to = now;
  }
}

/** What is durable: a log of events, and what people have chosen. */
export class SimulatedStore {
  readonly #time: TrueTime;
  readonly #chance: Chance;
  readonly #weather: Weather;
  /** When each event was made durable, in order of positions. */
  readonly committed: { readonly announcement: Announcement; readonly at: number }[] = [];
  /** Positions of which there is nothing to tell any more. */
  readonly withdrawn = new Set<number>();
  readonly #choices = new Map<string, Choice[]>();

  constructor(options: { time: TrueTime; chance: Chance; weather: Weather }) {
    this.#time = options.time;
    this.#chance = options.chance;
    this.#weather = options.weather;
  }

  /** What a person has chosen, the last at the end. */
  choicesOf(person: string): readonly Choice[] {
    return this.#choices.get(person) ?? [];
  }

  /** Takes back the last event, as if it had been redacted before anybody heard of it. */
  withdraw(): void {
    if (this.committed.length > 0) this.withdrawn.add(this.committed.length);
  }

  open(link: StoreLink): ProcessStore {
    return {
      presenceFacts: () => this.#ask(link, () => this.#facts()),
      presenceFactsOf: ({ participant_id }) => this.#ask(link, () => this.#factsOf(participant_id)),
      positions: () => this.#ask(link, () => new Map([[TENANT, this.committed.length]])),
      eventsAfter: (_tenant, after, limit) =>
        this.#ask(link, () => {
          const page = this.committed.slice(after, after + limit);
          const announcements = page.flatMap(({ announcement }) =>
            this.withdrawn.has(announcement.frame.stream_position ?? 0) ? [] : announcement,
          );
          return { announcements, position: after + page.length };
        }),
      setManual: (key, manual, wall) =>
        this.#commit(link, () => this.#setManual(link, key.participant_id, manual, wall)),
      send: (key) => this.#commit(link, () => this.#append(key)),
    };
  }

  #facts(): PresenceFacts[] {
    const people = [...this.#choices.keys()].map((id) => this.#factsOf(id));
    return [...people.filter(({ manual }) => manual !== undefined), this.#factsOf(MACHINE)];
  }

  #factsOf(participant_id: string): PresenceFacts {
    const last = this.choicesOf(participant_id).at(-1);
    return {
      tenant_id: TENANT,
      participant_id,
      manual: last?.manual,
      manual_at: last?.manual_at ?? 0,
      alwaysOnline: participant_id === MACHINE,
    };
  }

  #setManual(
    link: StoreLink,
    person: string,
    manual: ManualState | undefined,
    wall: number,
  ): number {
    const choices = this.#choices.get(person) ?? [];
    const manual_at = Math.max(wall, (choices.at(-1)?.manual_at ?? 0) + 1);
    this.#choices.set(person, choices);
    choices.push({ at: this.#time.now, manual, manual_at, by: link.end });
    return manual_at;
  }

  #append({ participant_id }: PersonKey): Announcement {
    const stream_position = this.committed.length + 1;
    const announcement = announcementOf(participant_id, stream_position);
    this.committed.push({ announcement, at: this.#time.now });
    return announcement;
  }

  #commit<T>(link: StoreLink, run: () => T): Promise<T> {
    return this.#ask(link, () => {
      if (link.end.stopsAt("before commit")) return undefined as T;
      const answer = run();
      link.end.stopsAt("after commit");
      return answer;
    });
  }

  #ask<T>(link: StoreLink, run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (link.isDead) return;
      const { absence } = link;
      const refuse = (): void => reject(new Error("The store is out of reach"));
      if (absence === "refuses") {
        this.#time.in(this.#tripMs(), refuse);
        return;
      }
      const isLost = absence === "hangs";
      if (isLost) this.#time.in(STORE_GIVEN_UP_MS, refuse);
      if (isLost && this.#chance.below(2) === 0) return;
      const slowMs = absence === "lingers" ? this.#chance.below(STORE_GIVEN_UP_MS) : 0;
      this.#time.in(this.#tripMs() + slowMs, () => {
        if (link.isDead && this.#chance.below(2) === 0) return;
        const answer = run();
        if (isLost) return;
        this.#time.in(this.#tripMs(), () => {
          if (!link.isDead) resolve(answer);
        });
      });
    });
  }

  #tripMs(): number {
    return 1 + this.#chance.below(this.#weather.storeMs);
  }
}

/** What is said of a message. */
export function announcementOf(sender_id: string, stream_position: number): Announcement {
  return {
    frame: {
      type: "swp.room.message",
      id: `evt-${stream_position}`,
      tenant_id: TENANT,
      ts: "2026-03-02T09:00:00.000Z",
      room_id: ROOM,
      sender_id,
      stream_position,
    },
    to: { room_id: ROOM, also: [] },
  };
}
