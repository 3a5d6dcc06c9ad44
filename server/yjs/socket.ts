import { type Activity, CodedError, type OpenSource } from "@porchlight/core";
import {
  type AwarenessClient,
  type AwarenessOutcome,
  MAX_AWARENESS_IDS,
  YJS_CLOSE,
  type YjsClose,
} from "@porchlight/core/awareness";
import type { ServerWebSocket } from "bun";
import type { Caller } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { Allowance, Count, Flow, framesIn, framesInAwareness } from "../flow.ts";
import type { Connection } from "../hub.ts";
import { errorFields } from "../log.ts";
import type { RoomKey } from "../store/store.ts";
import { publishTyping } from "../typing.ts";
import {
  BadMessage,
  denial,
  EMPTY_DOCUMENT,
  type EntryMessage,
  type HeardEntry,
  readMessage,
  type YjsMessage,
} from "./codec.ts";
import type { YjsRoom } from "./room.ts";

/** Awareness messages about itself that a socket may send a second; of more, the last is heard when the second is over. */
const MESSAGES_PER_SECOND = 20;
const SECOND_MS = 1_000;
/** Entries of others, each as nobody can have heard it, with which a socket is closed when they come within one window. */
const FORGED_MAX = 20;
const FORGED_WINDOW_MS = 5_000;
/** When a client that sent too much may come back. */
const RETRY_AFTER_MS = 5_000;
/**
 * How a client closes that will not be back. One of y-websocket gives no code, also where it takes the connection
 * for dead and comes back at once; when it does go it says so before that, by null.
 */
const GONE_CODE = 1000;
/** What a client was told it may repeat for so long at least: one that stood still does so when it goes on. */
const REPEATED_WINDOW_MS = 30_000;

/** A socket that is not let in: accepted and closed, so that a browser can read why. */
export class RefusedYjsSocket {
  readonly #why: YjsClose;
  constructor(why: YjsClose) {
    this.#why = why;
  }
  open(ws: ServerWebSocket<unknown>): void {
    const { code, reason } = YJS_CLOSE[this.#why];
    if (isDenied(code)) ws.send(denial(reason));
    ws.close(code, reason);
  }
}

/** What a Yjs socket opens with. */
export interface YjsOpening extends RoomKey, Activity {
  readonly device_id?: string | undefined;
  readonly instance?: string | undefined;
  /** Rejects with a 401 when its token stands for nobody any more. */
  readonly recheck: () => Promise<void>;
}

/**
 * One open socket of the y-websocket protocol: what its client says of itself
 * is a part of awareness and of typing, that it is there of presence. The
 * document is empty, and stays so.
 */
export class YjsSocket implements Connection<YjsClose> {
  readonly door = "yjs";
  readonly closes = YJS_CLOSE;
  readonly presence = "none";
  readonly tenant_id: string;
  readonly room_id: string;
  readonly participant_id: string;
  readonly token_id: string;
  readonly expires_at: number | undefined;
  readonly device_id: string;
  readonly instance: string;
  readonly #deps: Deps;
  readonly #session = crypto.randomUUID();
  readonly #flow = new Flow();
  #opening: YjsOpening | undefined;
  #socket: ServerWebSocket<unknown> | undefined;
  #room: YjsRoom | undefined;
  #client: AwarenessClient | undefined;
  #source: OpenSource | undefined;
  readonly #said = new Count(SECOND_MS);
  readonly #forged = new Count(FORGED_WINDOW_MS);
  /** Clients repeat whatever they are told: as much as that is no flood. */
  readonly #repeatable = new Allowance(REPEATED_WINDOW_MS);
  #remindedAt = Number.NEGATIVE_INFINITY;
  /** By client id, what came last of what was too much. */
  readonly #heldBack = new Map<number, HeardEntry>();

  constructor(deps: Deps, caller: Caller, opening: YjsOpening) {
    this.#deps = deps;
    this.tenant_id = caller.tenant_id;
    this.room_id = opening.room_id;
    this.participant_id = caller.participant_id;
    this.token_id = caller.token_id;
    this.expires_at = caller.expires_at;
    this.device_id = opening.device_id ?? `socket:${this.#session}`;
    this.instance = opening.instance ?? this.device_id;
    this.#opening = opening;
  }

  get source(): OpenSource | undefined {
    return this.#source;
  }

  get socket(): ServerWebSocket<unknown> {
    if (this.#socket === undefined) throw new TypeError("Cannot use a socket before it is open");
    return this.#socket;
  }

  /** What the room knows it by. */
  get client(): AwarenessClient | undefined {
    return this.#client;
  }

  open(ws: ServerWebSocket<unknown>): void {
    const opening = this.#opening;
    if (opening === undefined) return;
    this.#opening = undefined;
    this.#socket = ws;
    const { hub, yjs } = this.#deps;
    hub.add(this);
    // Whoever takes the token away from now on finds this socket; who did before is found here.
    opening.recheck().catch((error: unknown) => this.#doubt(error));
    const room = yjs.find(this);
    if (room?.has(this.participant_id)) this.#enter(room, opening);
    else this.#close(room === undefined ? "overload" : "not_member");
    if (this.#deps.shell.stopping()) this.#close("restart");
  }

  message(_ws: ServerWebSocket<unknown>, data: string | Buffer): void {
    const room = this.#room;
    if (room === undefined) return;
    const now = this.#deps.clock.elapsed();
    this.#hear(now);
    const { frame_max_bytes } = this.#deps.shell.config.limits;
    const bytes = Buffer.byteLength(data);
    const message = bytes > frame_max_bytes ? undefined : this.#read(data);
    if (message === undefined)
      this.#close(bytes > frame_max_bytes ? "frame_too_large" : "bad_message");
    else if (message.type === "awareness") this.#hearAwareness(room, message, { bytes, now });
    else if (!this.#isTooMuch(framesIn(bytes))) this.#answer(message.type);
  }

  ping(): void {
    this.#beat();
  }

  pong(): void {
    this.#beat();
  }

  drain(): void {
    const { hub, yjs, clock } = this.#deps;
    if (!hub.drained(this) || this.#room === undefined) return;
    this.#room.catchUp(this, clock.elapsed());
    yjs.schedule(this.#room);
  }

  close(_ws: ServerWebSocket<unknown>, code: number): void {
    this.#deps.hub.remove(this);
    this.#part(code === GONE_CODE ? "left" : "lost");
    this.#log("yjs.closed", { code });
  }

  ending(why: YjsClose): void {
    const { code, reason, reconnect } = YJS_CLOSE[why];
    if (isDenied(code)) this.#socket?.send(denial(reason));
    // Of a restart everything is kept as it is: the source is written down.
    if (why === "restart") this.#room = undefined;
    else this.#part(reconnect ? "lost" : "left");
  }

  /** Says that its client types, goes on, or ceased to. */
  type(how: "start" | "renew" | "stop"): void {
    const { tenant_id, participant_id, room_id, device_id: source } = this;
    const signal = { tenant_id, participant_id, room_id, source };
    const by = { ...signal, isGone: () => this.#source === undefined };
    if (how === "renew") this.#deps.liveness.renewTyping(signal);
    else
      publishTyping(this.#deps, by, { room_id, typing: how === "start" }).catch((error: unknown) =>
        this.#drop(error),
      );
  }

  /** It is told a message. */
  told({ bytes: { byteLength }, entries }: EntryMessage, now: number): void {
    this.#repeatable.give(framesInAwareness({ bytes: byteLength, entries }), now);
  }

  /** What it said beyond what it may is heard now. */
  goOn(now: number): void {
    const room = this.#room;
    const entries = [...this.#heldBack.values()];
    this.#heldBack.clear();
    if (room !== undefined && entries.length > 0) this.#hearEntries(room, entries, now);
  }

  #enter(room: YjsRoom, { state, idle_for_ms }: YjsOpening): void {
    const { yjs, clock } = this.#deps;
    this.#room = room;
    this.#client = room.enter(this, clock.elapsed());
    this.#signOn({ state, idle_for_ms });
    this.#log("yjs.opened", {});
    yjs.schedule(room);
  }

  #read(data: string | Buffer): YjsMessage | undefined {
    return typeof data === "string" ? undefined : unlessBad(() => readMessage(data));
  }

  #answer(type: "step1" | "update" | "other"): void {
    if (type === "step1") this.#deps.hub.sendBytes(this, EMPTY_DOCUMENT);
    else this.#deps.shell.metrics.dropped(type === "update" ? "yjs_update" : "yjs_message");
  }

  #hearAwareness(
    room: YjsRoom,
    { count, entries: read }: Extract<YjsMessage, { type: "awareness" }>,
    { bytes, now }: { bytes: number; now: number },
  ): void {
    const frames = framesInAwareness({ bytes, entries: count });
    if (!this.#repeatable.take(frames, now) && this.#isTooMuch(frames)) return;
    const entries = unlessBad(read);
    if (entries === undefined) this.#close("bad_message");
    const isNews = entries !== undefined && this.#hearEntries(room, entries, now);
    // What clients only repeat, as they do all they are told, changes nothing.
    if (room.spoken(this) || isNews) this.#deps.yjs.schedule(room);
  }

  /** Answers whether it is more than a client repeats of others. */
  #hearEntries(room: YjsRoom, entries: readonly HeardEntry[], now: number): boolean {
    const client = this.#client;
    const isPaced = this.#said.add(0, now) < MESSAGES_PER_SECOND;
    let isSaid = false;
    let own = 0;
    let foreign = 0;
    for (const entry of entries) {
      if (client === undefined || this.#room !== room) break;
      const claim = room.claim(client, entry, now);
      own += Number(claim === "own");
      if (claim === "foreign") foreign += 1;
      else if (claim !== "own") this.#pass(room, claim, now);
      // No client says more of itself at once than it can have ids.
      else if (own > MAX_AWARENESS_IDS) this.#pass(room, "forged", now);
      // That there is nothing any more is heard however much was said before it.
      else if (isPaced || entry.isNull) isSaid = this.#say(room, client, entry) || isSaid;
      else this.#holdBack(room, client, entry, now);
    }
    // However many ids it speaks for, a message counts once.
    this.#said.add(Number(isSaid), now);
    this.#deps.shell.metrics.dropped("awareness_foreign", foreign);
    return foreign < entries.length;
  }

  #holdBack(room: YjsRoom, client: AwarenessClient, entry: HeardEntry, now: number): void {
    const { id, clock, text = "" } = entry;
    if (room.isEcho(client, { id, clock, text })) return;
    // An id that waits is not its socket's yet, and counts as one all the same.
    if (!this.#heldBack.has(entry.id) && this.#heldBack.size >= MAX_AWARENESS_IDS) {
      this.#pass(room, "forged", now);
      return;
    }
    this.#deps.shell.metrics.dropped("awareness_rate");
    this.#heldBack.set(entry.id, entry.kept());
    room.hold(this, this.#said.until);
  }

  /** It says what nobody can have told it, which has no effect. */
  #pass(room: YjsRoom, claim: "forged" | "mistaken", now: number): void {
    this.#deps.shell.metrics.dropped(`awareness_${claim}`);
    if (claim === "forged" && this.#forged.add(1, now) > FORGED_MAX) this.#close("forged");
    // A client that takes others for gone, as after it slept, is told that they are not.
    if (claim !== "mistaken" || now < this.#remindedAt + SECOND_MS) return;
    this.#remindedAt = now;
    room.catchUp(this, now);
  }

  /** Answers whether it said something. */
  #say(room: YjsRoom, client: AwarenessClient, entry: HeardEntry): boolean {
    const { id, clock, isNull } = entry;
    this.#heldBack.delete(id);
    const text = isNull ? null : entry.text;
    const { outcome, replaced } =
      text === undefined
        ? { outcome: { kind: "refused" } as const, replaced: undefined }
        : room.say(client, { id, clock, text });
    if (replaced !== undefined) this.#deps.hub.close<YjsClose>(replaced, "replaced");
    this.#follow(room, client, outcome);
    return outcome.kind !== "echoed";
  }

  #follow(room: YjsRoom, client: AwarenessClient, { kind, typing }: AwarenessOutcome): void {
    const { liveness, shell } = this.#deps;
    if (kind === "refused") shell.metrics.dropped("awareness_state");
    if (kind === "refused" || kind === "echoed") return;
    // Who says that there is nothing of them any more has signed off, until they say something again.
    if (kind === "left" && !room.isSpeaking(client)) this.#signOff();
    else if (this.#source === undefined) this.#signOn({});
    else if (kind === "changed") liveness.hear(this, this.#source, { idle_for_ms: 0 });
    if (typing !== undefined) this.type(typing);
  }

  #beat(): void {
    if (this.#room === undefined) return;
    this.#hear(this.#deps.clock.elapsed());
    this.#isTooMuch(1);
  }

  /** A sign of life. */
  #hear(now: number): void {
    const { hub, liveness } = this.#deps;
    hub.heard(this);
    if (this.#source !== undefined) liveness.touch(this, this.#source, now);
  }

  #isTooMuch(frames: number): boolean {
    const { clock, shell } = this.#deps;
    const { frame_rate } = shell.config.limits;
    const isTooMuch = this.#flow.isTooMuch(clock.monotonic(), {
      frame_rate,
      refused: false,
      frames,
    });
    if (isTooMuch) this.#close("too_many_frames", String(RETRY_AFTER_MS));
    return isTooMuch;
  }

  #signOn(activity: Activity): void {
    const { device_id, instance, door } = this;
    this.#source = this.#deps.liveness.open(this, { device_id, instance, door }, activity);
  }

  #signOff(): void {
    const source = this.#source;
    this.#source = undefined;
    if (source !== undefined) this.#deps.liveness.close(this, source);
  }

  #part(how: "left" | "lost"): void {
    const { clock, liveness, yjs } = this.#deps;
    const [room, client, source] = [this.#room, this.#client, this.#source];
    this.#room = undefined;
    this.#source = undefined;
    if (room === undefined || client === undefined) return;
    if (source !== undefined && how === "left") liveness.close(this, source);
    else if (source !== undefined) liveness.lose(this, source);
    room.part(client, clock.elapsed(), how === "left" ? undefined : source?.lingersUntil);
    yjs.schedule(room);
  }

  #close(why: YjsClose, reason?: string): void {
    this.#deps.hub.close<YjsClose>(this, why, reason);
  }

  #doubt(error: unknown): void {
    if (error instanceof CodedError && error.status === 401) {
      this.#close("token_revoked");
      return;
    }
    this.#deps.shell.log("error", "yjs.failed", errorFields(error));
    this.#close("overload", String(RETRY_AFTER_MS));
  }

  /** There is no way to answer in this protocol: what is refused is counted. */
  #drop(error: unknown): void {
    const { shell } = this.#deps;
    if (error instanceof CodedError) shell.metrics.dropped(error.code);
    else shell.log("error", "yjs.failed", errorFields(error));
  }

  #log(event: string, fields: Readonly<Record<string, unknown>>): void {
    const { tenant_id, participant_id, room_id } = this;
    this.#deps.shell.log("info", event, {
      session_id: this.#session,
      tenant_id,
      participant_id,
      room_id,
      ...fields,
    });
  }
}

/** What is read, unless it is no message. */
function unlessBad<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof BadMessage) return undefined;
    throw error;
  }
}

/** Of these the protocol has a message of its own. */
function isDenied(code: number): boolean {
  return code === YJS_CLOSE.token_invalid.code || code === YJS_CLOSE.not_member.code;
}
