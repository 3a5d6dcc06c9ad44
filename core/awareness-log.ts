import {
  type AwarenessBatch,
  type AwarenessDeed,
  type AwarenessTime,
  PIECE_BYTES,
} from "./awareness-share.ts";

/** What is said of an entry takes about so many bytes besides its state. */
const DEED_BYTES = 100;

type Lost = Extract<AwarenessDeed, { did: "lost" }>;
/** A deed, where it is not known yet for how long from when it is told. */
type Noted = Exclude<AwarenessDeed, Lost> | (Omit<Lost, "lingers_ms"> & { readonly until: number });

/** What the sockets of this node do in a room, until the other nodes are told. */
export class AwarenessLog {
  readonly #deeds = new Map<string, Noted>();
  #last = 0;

  /** Whether there is nothing to tell. */
  get isEmpty(): boolean {
    return this.#deeds.size === 0;
  }

  /** The last batch that was taken; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Takes note of something that a socket did. Of what it says of one id, only the last is told. */
  add(deed: Noted): void {
    const { opened } = deed;
    this.#deeds.set(deed.did === "said" ? `${opened}/${deed.id}` : `${opened} ${deed.did}`, deed);
  }

  /**
   * Takes what there is to tell, some of it where it is much. Answers nothing when there is nothing.
   * @param at.now on the clock of this node.
   * @param isSeen whether others see somebody now.
   */
  take(
    at: AwarenessTime & { readonly now: number },
    isSeen: (participantId: string) => boolean,
  ): AwarenessBatch | undefined {
    if (this.isEmpty) return undefined;
    const after = this.#last;
    this.#last = Math.max(after + 1, at.clock);
    const deeds = this.#takeSome().map((each) => deedAt(each, at.now));
    const parting = new Set(deeds.filter(isParting).map(({ participant_id }) => participant_id));
    const staying = [...parting].filter(isSeen);
    return { clock: this.#last, time: at.time, after, deeds, staying };
  }

  #takeSome(): readonly Noted[] {
    const deeds: Noted[] = [];
    let bytes = 0;
    for (const [key, deed] of this.#deeds) {
      bytes += DEED_BYTES + (deed.did === "said" ? (deed.text?.length ?? 0) : 0);
      if (bytes > PIECE_BYTES && deeds.length > 0) break;
      deeds.push(deed);
      this.#deeds.delete(key);
    }
    return deeds;
  }
}

function deedAt(noted: Noted, now: number): AwarenessDeed {
  if (noted.did !== "lost") return noted;
  const { until, ...deed } = noted;
  return { ...deed, lingers_ms: Math.max(0, until - now) };
}

function isParting(deed: AwarenessDeed): boolean {
  return deed.did === "left" || (deed.did === "said" && deed.text === null);
}
