import {
  DEFAULT_TIMINGS,
  type OpenSource,
  PresenceRegister,
  TypingRegister,
  type TypingSignal,
} from "@porchlight/core";
import { at } from "./bench.ts";

const RULES = { ...DEFAULT_TIMINGS, manual_without_device: "keep", typing_rate: 0 } as const;

/** Does something for the `index`-th of those there are, at `now`. */
export type Operation = (index: number, now: number) => unknown;

interface Made {
  readonly operate: Operation;
  /** Sets deadlines apart that would stay together, as everyone began at once. It takes two rounds: those that are set come up first. */
  readonly spread?: Operation;
}

/** One operation of the registers, on as many devices or signals as there are ids. */
export interface Contender {
  readonly name: string;
  /** How long a round over all of them takes on the clock that the operations are told. */
  readonly roundMs: number;
  /** Whether it is promised to cost little more than the map does. */
  readonly isPromised: boolean;
  /** Fills what is measured: everyone in `ids`, each typing in a room of their own. */
  readonly make: (ids: readonly string[], rooms: readonly string[]) => Made;
}

const LAPTOP = { device_id: "laptop", instance: "laptop", door: "stream" } as const;
const ONLINE = { state: "online" } as const;

/** What all of them are held against. */
export const MAP: Contender = {
  name: "Map delete + set",
  roundMs: RULES.heartbeat_ms,
  isPromised: false,
  make: (ids) => {
    const map = new Map(ids.map((id) => [id, 0]));
    const operate: Operation = (index, now) => {
      const id = at(ids, index);
      map.delete(id);
      map.set(id, now);
    };
    return { operate };
  },
};

/**
 * A renewal leaves its deadline where it is, for the timer to move: what is
 * called "and the timer" has both.
 */
export const CONTENDERS: readonly Contender[] = [
  {
    name: "heartbeat on a socket",
    roundMs: RULES.heartbeat_ms,
    isPromised: true,
    make: (ids) => ({ operate: socket(ids).hear }),
  },
  {
    name: "heartbeat on a socket, and the timer",
    roundMs: RULES.heartbeat_ms,
    isPromised: true,
    make: (ids) => {
      const { register, hear } = socket(ids);
      return { operate: timed(register, hear) };
    },
  },
  {
    name: "heartbeat by request",
    roundMs: RULES.heartbeat_ms,
    isPromised: true,
    make: (ids) => ({ operate: requests(ids).beat }),
  },
  {
    name: "heartbeat by request, and the timer",
    roundMs: RULES.heartbeat_ms,
    isPromised: true,
    make: (ids) => {
      const { register, beat } = requests(ids);
      return { operate: timed(register, beat) };
    },
  },
  {
    name: "socket closed and opened, and the timer",
    roundMs: RULES.heartbeat_ms,
    isPromised: true,
    make: (ids) => {
      const { register, sources } = socket(ids);
      const reopen: Operation = (index, now) => {
        register.close(at(sources, index), now);
        sources[index] = register.open(at(ids, index), LAPTOP, ONLINE, now).source;
      };
      return { operate: timed(register, reopen) };
    },
  },
  {
    name: "person gone and back, and the timer",
    roundMs: RULES.heartbeat_ms,
    isPromised: false,
    make: (ids) => {
      const { register } = socket(ids);
      const comeBack: Operation = (index, now) => {
        register.forget(at(ids, index));
        register.open(at(ids, index), LAPTOP, ONLINE, now);
      };
      return { operate: timed(register, comeBack) };
    },
  },
  {
    name: "typing renewed",
    roundMs: RULES.typing_refresh_ms,
    isPromised: true,
    make: (ids, rooms) => ({ operate: typing(ids, rooms).start }),
  },
  {
    name: "typing renewed, told again by the timer",
    roundMs: RULES.typing_refresh_ms,
    isPromised: false,
    make: (ids, rooms) => {
      const { register, start, restart } = typing(ids, rooms);
      return { operate: timed(register, start), spread: timed(register, restart) };
    },
  },
  {
    name: "typing stopped and started, and the timer",
    roundMs: RULES.typing_refresh_ms,
    isPromised: false,
    make: (ids, rooms) => {
      const { register, restart } = typing(ids, rooms);
      return { operate: timed(register, restart) };
    },
  },
];

function socket(ids: readonly string[]): {
  register: PresenceRegister;
  sources: OpenSource[];
  hear: Operation;
} {
  const register = new PresenceRegister(RULES);
  const sources = ids.map((id) => register.open(id, LAPTOP, ONLINE, 0).source);
  const hear: Operation = (index, now) => register.hear(at(sources, index), ONLINE, now);
  return { register, sources, hear };
}

function requests(ids: readonly string[]): { register: PresenceRegister; beat: Operation } {
  const register = new PresenceRegister(RULES);
  const beat: Operation = (index, now) => register.beat(at(ids, index), "phone", ONLINE, now);
  for (const index of ids.keys()) beat(index, 0);
  return { register, beat };
}

function typing(
  ids: readonly string[],
  rooms: readonly string[],
): { register: TypingRegister; start: Operation; restart: Operation } {
  const register = new TypingRegister(RULES);
  const start: Operation = (index, now) =>
    register.start(signal(at(ids, index), at(rooms, index)), now);
  const restart: Operation = (index, now) => {
    register.stop(signal(at(ids, index), at(rooms, index)), now);
    start(index, now);
  };
  for (const index of ids.keys()) start(index, 0);
  return { register, start, restart };
}

/** An operation, and before it what is due by then. */
function timed(
  register: { readonly expire: (now: number) => unknown },
  operate: Operation,
): Operation {
  return (index, now) => {
    register.expire(now);
    operate(index, now);
  };
}

function signal(participant_id: string, room_id: string): TypingSignal {
  return { room_id, participant_id, source: "laptop" };
}
