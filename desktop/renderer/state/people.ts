import type {
  EventFrame,
  Participant,
  PresenceState,
  Profile,
  ServerFrame,
} from "@porchlight/core";
import type { Rest } from "@porchlight/core/client";
import type { Cache } from "../../bridge.ts";

const PEOPLE = "people";
const STATES = "states";
/** How many profiles are asked for at once. */
const PAGE = 200;
/** More people than these are not kept. */
const MOST = 10_000;

/** States as they were last known. */
interface KeptStates {
  readonly as_of: number;
  readonly states: Readonly<Record<string, PresenceState>>;
}

/** Everybody who was heard of, and the state in which they were last known. */
export class People {
  readonly #cache: Cache;
  readonly #known = new Map<string, Participant>();
  #kept: KeptStates | undefined;
  #sorted: readonly Participant[] | undefined;
  #isComplete = false;
  #loading: Promise<void> | undefined;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** By name. */
  get all(): readonly Participant[] {
    this.#sorted ??= sorted(this.#known.values());
    return this.#sorted;
  }

  get(id: string): Participant | undefined {
    return this.#known.get(id);
  }

  /** The state in which somebody was known when this was last kept. */
  kept(id: string): { readonly state: PresenceState; readonly as_of: number } | undefined {
    return this.#kept && { state: this.#kept.states[id] ?? "offline", as_of: this.#kept.as_of };
  }

  async load(): Promise<void> {
    // As text: a cache copies one long string much faster than ten thousand objects.
    const [people, states] = await Promise.all([this.#cache.get(PEOPLE), this.#cache.get(STATES)]);
    if (typeof states === "string") this.#kept = JSON.parse(states);
    if (typeof people !== "string") return;
    const kept: readonly Participant[] = JSON.parse(people);
    const isFirst = this.#known.size === 0;
    this.add(kept);
    // They are kept by name.
    if (isFirst) this.#sorted = kept;
  }

  /** Takes people up. Says whether anything is otherwise. */
  add(people: Iterable<Participant>): boolean {
    let isChanged = false;
    for (const person of people) {
      if (isSame(this.#known.get(person.id), person)) continue;
      this.#known.set(person.id, person);
      isChanged = true;
    }
    if (isChanged) this.#sorted = undefined;
    return isChanged;
  }

  /** Takes up a frame of the stream. */
  hear(frame: ServerFrame): boolean {
    if (frame.type !== "swp.participant.profile") return false;
    const { participant } = frame as EventFrame & { participant?: Participant };
    return participant !== undefined && this.add([participant]);
  }

  /** Asks the server for everybody, once. Safe to call again. */
  loadAll(rest: Rest, onChange: () => void): Promise<void> {
    this.#loading ??= this.#askAll(rest, onChange).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Keeps everybody, and the states in which they are known now. */
  async keep(stateOf: ((id: string) => PresenceState) | undefined, at: number): Promise<void> {
    const people = this.all.slice(0, MOST);
    await this.#cache.put(PEOPLE, JSON.stringify(people));
    if (stateOf === undefined) return;
    const states = people.map(({ id }) => [id, stateOf(id)] as const);
    const present = states.filter(([, state]) => state !== "offline");
    this.#kept = { as_of: at, states: Object.fromEntries(present) };
    await this.#cache.put(STATES, JSON.stringify(this.#kept));
  }

  async #askAll(rest: Rest, onChange: () => void): Promise<void> {
    for (let offset = 0; !this.#isComplete && offset < MOST; offset += PAGE) {
      const page: readonly Profile[] = await rest.profiles({ limit: PAGE, offset });
      if (this.add(page.map(({ participant }) => participant))) onChange();
      this.#isComplete = page.length < PAGE;
    }
  }
}

/** By name, as the browser's language orders letters. */
function sorted(people: Iterable<Participant>): Participant[] {
  // One for all of them: each costs as much as many comparisons.
  const { compare } = new Intl.Collator();
  return [...people].sort(
    (a, b) => compare(a.display_name, b.display_name) || (a.id < b.id ? -1 : 1),
  );
}

function isSame(a: Participant | undefined, b: Participant): boolean {
  return (
    a !== undefined &&
    a.display_name === b.display_name &&
    a.avatar_url === b.avatar_url &&
    a.participant_type === b.participant_type
  );
}
