import type { EventFrame, ServerFrame } from "@porchlight/core";

/** A message as it is shown. */
export interface Message {
  readonly event_id: string;
  readonly sender_id: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** Nothing when it was taken back. */
  readonly body: string | undefined;
  readonly position: number;
}

/** How many are kept on this computer. */
const KEPT = 100;

/** What was said in a room, in order: pages of the past, joined with what is announced. */
export class Timeline {
  #messages: readonly Message[] = [];

  /** From the oldest that is known to the latest; the same list as before when nothing changed. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** What is worth keeping. */
  get kept(): readonly Message[] {
    return this.#messages.slice(-KEPT);
  }

  /** The position of the oldest that is known. */
  get from(): number | undefined {
    return this.#messages[0]?.position;
  }

  /** Joins messages with those that are known; of one that is known, the newer word counts. */
  add(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    const all = new Map(this.#messages.map((message) => [message.event_id, message]));
    for (const message of messages) all.set(message.event_id, message);
    this.#messages = [...all.values()].sort((a, b) => a.position - b.position);
  }

  /** Takes the latest page in the place of everything where there may be a gap before it. */
  latest(messages: readonly Message[]): void {
    const newest = this.#messages.at(-1)?.position ?? 0;
    const oldest = messages[0]?.position ?? 0;
    if (oldest > newest) this.#messages = [];
    this.add(messages);
  }

  /** Takes up a frame of the stream. Says whether it was of this room's messages. */
  hear(frame: ServerFrame, roomId: string): boolean {
    if (!("room_id" in frame) || frame.room_id !== roomId) return false;
    if (frame.type === "swp.room.message") this.add([messageOf(frame as EventFrame)]);
    else if (frame.type === "swp.room.redaction") this.#redact(frame as EventFrame);
    else return false;
    return true;
  }

  #redact({ content }: EventFrame): void {
    const { redacts } = content as { redacts?: string };
    this.#messages = this.#messages.map((message) =>
      message.event_id === redacts ? { ...message, body: undefined } : message,
    );
  }
}

/** A message of an event, as a request answers it or the stream tells it. */
export function messageOf(event: EventFrame): Message {
  const { content, sender_id, stream_position = 0 } = event;
  const body = (content as { body?: unknown } | undefined)?.body;
  return {
    event_id: event.id,
    sender_id: String(sender_id),
    at: Date.parse(event.ts),
    body: typeof body === "string" ? body : undefined,
    position: stream_position,
  };
}
