import {
  type Activity,
  type Actor,
  type EventFrame,
  isoOf,
  type LivenessChange,
  LivenessRegister,
  type ManualState,
  type MemberFacts,
  type Membership,
  type Moment,
  memberOf,
  type OpenSource,
  type Participant,
  type PresenceRules,
  presenceFrame,
  type RememberedPerson,
  type ResponseMode,
  type RoomFacts,
  roomRefusal,
  roomState,
  type ServerFrame,
  type SourceName,
  type TypingRules,
  type ViewerFacts,
} from "@porchlight/core";
import { member, participant, room } from "./builders.ts";
import { type Saying, WatchedAwareness } from "./watched-awareness.ts";

/** A source as it is written down, and what tells it apart. */
export type RememberedSource = RememberedPerson["sources"][number];
export type Name = Pick<RememberedSource, "device_id" | "instance" | "door">;

/** Ann hides; the others watch. Dee shares no room with her unless she is invited to one. */
export const PEOPLE = ["ann", "bob", "cy", "dee"] as const;
export const OBSERVERS = ["bob", "cy", "dee"] as const;
export const ROOMS = ["lobby", "attic", "den"] as const;
export type Room = (typeof ROOMS)[number];

const MEMBERS: Readonly<Record<Room, readonly string[]>> = {
  lobby: ["ann", "bob", "cy"],
  attic: ["ann", "bob"],
  den: ["cy", "dee"],
};

/** A socket by its name. */
export interface Socket {
  readonly device: string;
  readonly instance: string;
  readonly door: "stream" | "yjs";
}

/** One thing that one person does, in words of the API. What it does to nothing does nothing. */
export type Act =
  | { readonly kind: "open" | "hear"; readonly socket: Socket; readonly activity: Activity }
  | { readonly kind: "touch" | "lose" | "close"; readonly socket: Socket }
  /** A client of Yjs says something of itself. */
  | { readonly kind: "say"; readonly socket: Socket; readonly saying: Saying }
  | { readonly kind: "heartbeat"; readonly device: string; readonly activity: Activity }
  | { readonly kind: "signOff"; readonly device: string }
  | {
      readonly kind: "typeStream";
      readonly socket: Socket;
      readonly room: Room;
      readonly typing: boolean;
    }
  | {
      readonly kind: "typeRest";
      readonly device: string | undefined;
      readonly room: Room;
      readonly typing: boolean;
    }
  | { readonly kind: "choose"; readonly manual: ManualState | undefined; readonly how: How }
  | { readonly kind: "message" | "join" | "leave" | "aiMode"; readonly room: Room }
  | { readonly kind: "invite"; readonly room: Room; readonly invited: string }
  | { readonly kind: "profile"; readonly name: string }
  | { readonly kind: "readMarker" | "mute"; readonly room: Room }
  | { readonly kind: "preferences" };

/** How a state is set: by a request that names a device or none, or by the administrator. */
export type How = { readonly device: string | undefined } | "facts";

/** What others may see of someone who appears offline. */
export const PUBLIC: ReadonlySet<Act["kind"]> = new Set<Act["kind"]>([
  "message",
  "join",
  "leave",
  "invite",
  "profile",
  "aiMode",
]);

interface Message {
  readonly room: Room;
  readonly sender: string;
  readonly position: number;
  readonly id: string;
}

interface Place {
  facts: RoomFacts;
  readonly members: Map<string, MemberFacts>;
  /** By person, the position up to which messages are read. */
  readonly read: Map<string, Pick<Message, "position" | "id">>;
}

/** A socket that is open. One of Yjs that says nothing of itself any more is no source. */
interface Seat {
  readonly person: string;
  readonly name: SourceName;
  source: OpenSource | undefined;
}

/**
 * One tenant: a register of core, awareness of the lobby, where all Yjs sockets
 * are, a short list of durable facts with positions, and what each observer
 * hears and can ask for. Told the time.
 */
export class World {
  readonly #register: LivenessRegister;
  readonly #awareness: WatchedAwareness;
  readonly #people = new Map<string, Participant>(PEOPLE.map((id) => [id, participant(id)]));
  readonly #places: Readonly<Record<Room, Place>>;
  readonly #messages: Message[] = [];
  readonly #sockets = new Map<string, Seat>();
  readonly #heard = new Map<string, string[]>(OBSERVERS.map((id) => [id, []]));
  /** By person, the preference that shows in their own settings of a room. */
  readonly #responseModes = new Map<string, ResponseMode>();
  #position = 0;

  constructor(rules: PresenceRules & TypingRules) {
    this.#register = new LivenessRegister(rules);
    this.#awareness = new WatchedAwareness(rules, OBSERVERS);
    for (const who of MEMBERS.lobby) this.#awareness.setMember(who, participant(who));
    const place = (id: Room): Place => ({
      facts: room({ id, name: id, member_count: MEMBERS[id].length, is_public: true }),
      members: new Map(MEMBERS[id].map((who) => [who, member({ id: who, joined_at: null })])),
      read: new Map(),
    });
    this.#places = { lobby: place("lobby"), attic: place("attic"), den: place("den") };
  }

  /** Whether an observer has heard anything since they were last asked. */
  get hasNews(): boolean {
    return OBSERVERS.some((id) => this.#heard.get(id)?.length !== 0);
  }

  /** In how many milliseconds the next alarm rings. */
  nextIn(now: Moment): number {
    const { elapsed = Infinity, monotonic = Infinity } = this.#register.nextAt();
    const awareness = this.#awareness.nextAt() ?? Infinity;
    return Math.max(
      0,
      Math.min(Math.min(elapsed, awareness) - now.elapsed, monotonic - now.monotonic),
    );
  }

  expire(now: Moment): void {
    this.#tell(this.#register.expire(now), now);
    this.#tellAwareness(now);
  }

  do(person: string, act: Act, now: Moment): void {
    switch (act.kind) {
      case "choose":
        this.#choose(person, act.manual, act.how, now);
        return;
      case "typeStream":
      case "typeRest":
        this.#type(person, act, now);
        return;
      case "signOff":
        this.#tell(this.#register.signOff(person, act.device, now), now);
        this.#awareness.signOff(person, act.device);
        this.closeSockets(person, ({ device_id }) => device_id === act.device, now);
        return;
      case "heartbeat":
        this.#tell(this.#register.beat(person, act.device, act.activity, now), now);
        return;
      case "say":
        if (act.socket.door === "yjs") this.#say(person, act.socket, act.saying, now);
        return;
      case "open":
      case "hear":
      case "touch":
      case "lose":
      case "close":
        this.#doToSocket(person, act, now);
        return;
      case "preferences":
        this.#responseModes.set(person, "streaming");
        return;
      case "profile":
        this.#rename(person, act.name, now);
        return;
      default:
        this.#doInRoom(person, act, now);
        return;
    }
  }

  /** The sources that a person has, as they are. */
  sourcesOf(person: string, now: Moment): readonly RememberedSource[] {
    const all = this.#register.remember(now);
    return all.find(({ participant_id }) => participant_id === person)?.sources ?? [];
  }

  /** Whether others see a person as something else than offline. */
  isSeen(person: string): boolean {
    return this.#register.told(person) !== "offline";
  }

  /** Whether a device of a person is awake. */
  isAwake(person: string, deviceId: string, now: Moment): boolean {
    const { devices } = this.#register.explain(person, now);
    return devices.some(({ device_id, state }) => device_id === deviceId && state === "online");
  }

  /** Whether a source is lingering: it was lost, and its socket is no more. */
  isLost(person: string, { device_id, instance, door }: Name): boolean {
    return door !== "rest" && !this.#sockets.has(keyOf(person, { device_id, instance, door }));
  }

  /** What a Yjs socket of a person has said last. */
  saidBy(person: string, name: Name): Saying {
    return this.#awareness.saidBy(keyOf(person, name));
  }

  /**
   * Opens a source by its name, and loses it at once if it `lingers`. One of Yjs says what it is to
   * say, or else what it said before, and is let in by members of the lobby alone.
   */
  connect(
    person: string,
    name: Name,
    how: { readonly activity: Activity; readonly lingers?: boolean; readonly saying?: Saying },
    now: Moment,
  ): void {
    const { door, device_id, instance } = name;
    if (door === "rest") {
      this.#tell(this.#register.beat(person, device_id, how.activity, now), now);
      return;
    }
    if (door === "yjs" && !this.#awareness.has(person)) {
      // What lingers may be of a room that its person has left since.
      if (how.lingers !== true) return;
      const lost = this.#open(person, { device_id, instance, door }, how.activity, now);
      this.#tell(this.#register.lose(lost, now), now);
      return;
    }
    const key = keyOf(person, name);
    const old = this.#sockets.get(key);
    const source = this.#open(person, { device_id, instance, door }, how.activity, now);
    this.#sockets.set(key, { person, name: { device_id, instance, door }, source });
    if (door === "yjs") this.#enter(key, { person, name, saying: how.saying, old }, now);
    if (how.lingers === true) this.#part(key, "lose", now);
  }

  /** Sets a state or clears it, which is no sign of life: by hand, or by the administrator. */
  set(person: string, manual: ManualState | undefined, byFacts: boolean, now: Moment): void {
    if (byFacts) this.#choose(person, manual, "facts", now);
    else this.#tell(this.#register.choose(person, manual, now), now);
  }

  /** Ends whatever a person types, everywhere. */
  stopTyping(person: string, now: Moment): void {
    this.#tell(this.#register.stopTyping(person, {}, now), now);
  }

  /** Closes those sockets of a person that `closes` names. */
  closeSockets(person: string, closes: (name: Name) => boolean, now: Moment): void {
    for (const [key, seat] of this.#sockets)
      if (seat.person === person && closes(seat.name)) this.#part(key, "close", now);
  }

  /** The tab of a Yjs socket that is no more is loaded anew: it does not say again what it said last. */
  reload(person: string, name: Name): void {
    const key = keyOf(person, name);
    if (!this.#sockets.has(key)) this.#awareness.part(key, undefined);
  }

  /** A request by the device or the token is a sign of life, where no socket speaks for the person. */
  act(person: string, device: string | undefined, now: Moment): void {
    const by = this.#register.signOf(person, actorOf(device));
    this.#tell(this.#register.act(person, by, now), now);
  }

  /**
   * Everything that the observers heard since they were last asked, and every
   * answer they can get now, as lines of JSON: digests of an answer are the
   * same where its text is.
   * @param apart whether frames about different people have come in any order.
   */
  observe(now: Moment, apart: boolean): string {
    this.#tellAwareness(now);
    const lines: string[] = [];
    for (const observer of OBSERVERS) {
      const frames = this.#heard.get(observer) ?? [];
      lines.push(...(apart ? frames.toSorted() : frames));
      frames.length = 0;
      const answers = {
        observer,
        presence: PEOPLE.map((id) => this.#register.stateFor(observer, id, now)),
        snapshot: this.#register.snapshot(observer, now),
        rooms: ROOMS.map((id) => this.#stateOf(id, observer, now)),
        position: this.#position,
        awareness: this.#awareness.snapshot(observer, now.elapsed),
      };
      lines.push(JSON.stringify(answers));
    }
    return lines.join("\n");
  }

  #stateOf(id: Room, observer: string, now: Moment): unknown {
    const { facts, members, read } = this.#places[id];
    const { membership } = members.get(observer) ?? {};
    const self: ViewerFacts = {
      participant_id: observer,
      participant_type: "human",
      membership,
      notification_mode: "inherit",
      muted_until: null,
      ai_response_mode: this.#responseModes.get(observer) ?? "conversational",
    };
    const refused = roomRefusal(facts, self, "look");
    if (refused !== undefined) return refused;
    const mark = read.get(observer);
    let unread_count = 0;
    for (const message of this.#messages) {
      const isOthers = message.room === id && message.sender !== observer;
      if (isOthers && message.position > (mark?.position ?? 0)) unread_count += 1;
    }
    const record = {
      room: facts,
      counterpart: undefined,
      members: [...members.values()],
      viewer: self,
      read: {
        unread_count,
        last_read_event_id: mark?.id ?? null,
        snoozed_event_ids: [],
      },
      plan: undefined,
      sidekicks: [],
      call: undefined,
      stream_position: this.#position,
    };
    return roomState(record, this.#register.lifeOf(id, observer, now), now.elapsed);
  }

  #choose(person: string, manual: ManualState | undefined, how: How, now: Moment): void {
    if (how === "facts") {
      const facts = { manual, alwaysOnline: false };
      this.#tell(this.#register.introduce(person, facts, now), now);
      return;
    }
    const by = this.#register.signOf(person, actorOf(how.device));
    this.#tell(this.#register.choose(person, manual, now, by), now);
  }

  #type(person: string, act: Extract<Act, { kind: "typeStream" | "typeRest" }>, now: Moment): void {
    const { room: room_id, typing } = act;
    if (this.#places[room_id].members.get(person)?.membership !== "join") return;
    if (act.kind === "typeStream") {
      const source = this.#sockets.get(keyOf(person, nameOf(act.socket)))?.source;
      if (source === undefined) return;
      this.#tell(this.#register.touch(source, now), now);
      const signal = { room_id, participant_id: person, source: act.socket.device };
      this.#tell(this.#register.type(signal, typing, now), now);
      return;
    }
    const actor = actorOf(act.device);
    const by = this.#register.signOf(person, actor);
    const signal = { room_id, participant_id: person, source: act.device ?? `rest:${TOKEN}` };
    this.#tell(this.#register.type(signal, typing, now), now);
    this.#tell(this.#register.act(person, by, now), now);
  }

  #open(person: string, name: SourceName, activity: Activity, now: Moment): OpenSource {
    const { source, changes } = this.#register.open(person, name, activity, now);
    this.#tell(changes, now);
    return source;
  }

  #doToSocket(person: string, act: Extract<Act, { socket: Socket }>, now: Moment): void {
    const name = nameOf(act.socket);
    const key = keyOf(person, name);
    if (act.kind === "open") {
      this.connect(person, name, { activity: act.activity }, now);
      return;
    }
    if (act.kind === "lose" || act.kind === "close") {
      this.#part(key, act.kind, now);
      return;
    }
    const source = this.#sockets.get(key)?.source;
    if (source === undefined) return;
    if (act.kind === "hear") this.#tell(this.#register.hear(source, act.activity, now), now);
    else this.#tell(this.#register.touch(source, now), now);
  }

  #enter(
    key: string,
    {
      person,
      name,
      saying = this.#awareness.saidBy(key),
      old,
    }: { person: string; name: Name; saying: Saying | undefined; old: Seat | undefined },
    now: Moment,
  ): void {
    this.#awareness.enter(key, person, name.device_id, saying, now.elapsed);
    if (old?.source !== undefined) this.#tell(this.#register.close(old.source, now), now);
    this.#awareness.touch(person);
  }

  #part(key: string, how: "lose" | "close", now: Moment): void {
    const seat = this.#sockets.get(key);
    if (seat === undefined) return;
    this.#sockets.delete(key);
    const { source } = seat;
    if (source !== undefined) this.#tell(this.#register[how](source, now), now);
    if (seat.name.door === "yjs")
      this.#awareness.part(key, how === "lose" ? source?.lingersUntil : undefined);
  }

  /** What a Yjs socket does, which is no part of core: who says nothing of themself any more signs off. */
  #say(person: string, socket: Socket, saying: Saying, now: Moment): void {
    const name = nameOf(socket);
    const key = keyOf(person, name);
    const seat = this.#sockets.get(key);
    if (seat === undefined) return;
    if (seat.source !== undefined) this.#tell(this.#register.touch(seat.source, now), now);
    const { kind, typing } = this.#awareness.say(key, saying, now.elapsed) ?? {};
    if (kind === undefined || kind === "refused" || kind === "echoed") return;
    if (kind === "left" && seat.source !== undefined) {
      this.#tell(this.#register.close(seat.source, now), now);
      seat.source = undefined;
    } else if (kind !== "left" && seat.source === undefined) {
      seat.source = this.#open(person, name, {}, now);
    } else if (kind === "changed" && seat.source !== undefined)
      this.#tell(this.#register.hear(seat.source, { idle_for_ms: 0 }, now), now);
    const signal = { room_id: "lobby", participant_id: person, source: socket.device };
    if (typing === "renew") this.#register.renewTyping(signal, now);
    else if (typing !== undefined)
      this.#tell(this.#register.type(signal, typing === "start", now), now);
  }

  /** Tells awareness, and what follows of it, until there is nothing more to tell. */
  #tellAwareness(now: Moment): void {
    const facts = this.#register.awarenessOf("lobby", now);
    const { heard, typing } = this.#awareness.tell(facts, now.elapsed);
    for (const [watcher, lines] of heard) this.#heard.get(watcher)?.push(...lines);
    for (const key of typing) {
      const seat = this.#sockets.get(key);
      if (seat === undefined) continue;
      const { person, name } = seat;
      const signal = { room_id: "lobby", participant_id: person, source: name.device_id };
      this.#tell(this.#register.type(signal, true, now), now);
    }
    if (typing.length > 0) this.#tellAwareness(now);
  }

  #doInRoom(person: string, act: Extract<Act, { room: Room }>, now: Moment): void {
    const { facts, members, read } = this.#places[act.room];
    const own = members.get(person);
    if (act.kind === "join") {
      if (own?.membership !== "join") this.#setMember(act.room, person, "join", now);
      return;
    }
    if (own?.membership !== "join") return;
    switch (act.kind) {
      case "leave":
        this.#setMember(act.room, person, "leave", now);
        return;
      case "invite": {
        const isIn = members.get(act.invited)?.membership ?? "leave";
        if (isIn === "leave") this.#setMember(act.room, act.invited, "invite", now);
        return;
      }
      case "message": {
        const frame = this.#event("swp.room.message", { room_id: act.room, sender_id: person });
        const { id, stream_position: position = 0 } = frame;
        this.#messages.push({ room: act.room, sender: person, position, id });
        this.#announce(frame, this.#joined(act.room), now);
        return;
      }
      case "aiMode": {
        const engagement_mode = facts.engagement_mode === "always" ? "mention" : "always";
        this.#places[act.room].facts = { ...facts, engagement_mode };
        const body = { room_id: act.room, participant_id: null, mode: engagement_mode };
        this.#announce(this.#event("swp.room.ai_engagement", body), this.#joined(act.room), now);
        return;
      }
      case "readMarker": {
        const last = this.#messages.findLast((message) => message.room === act.room);
        if (last !== undefined) read.set(person, last);
        return;
      }
      case "mute":
        members.set(person, { ...own, muted_until: now.elapsed + 60_000 });
        return;
      default:
    }
  }

  #setMember(id: Room, person: string, membership: Membership, now: Moment): void {
    const place = this.#places[id];
    const who = this.#people.get(person) ?? participant(person);
    const known = place.members.get(person) ?? member({ participant: who });
    const facts = { ...known, membership, joined_at: now.elapsed };
    const before = this.#joined(id);
    place.members.set(person, facts);
    const joined = this.#joined(id);
    place.facts = { ...place.facts, member_count: joined.length };
    if (id === "lobby") {
      const isIn = membership === "join";
      this.#awareness.setMember(person, isIn ? who : undefined);
      if (!isIn) this.closeSockets(person, ({ door }) => door === "yjs", now);
    }
    // Presence is for each receiver to fill in: a frame to many cannot know in whose eyes.
    const { presence: _presence, ...shown } = memberOf(facts, "", "offline", now.elapsed);
    const body = { room_id: id, participant_id: person, membership, member: shown };
    const to = new Set([...before, ...joined, person]);
    this.#announce(this.#event("swp.room.member", body), [...to], now);
  }

  #rename(person: string, display_name: string, now: Moment): void {
    const renamed = participant(person, { display_name });
    this.#people.set(person, renamed);
    if (this.#awareness.has(person)) this.#awareness.setMember(person, renamed);
    for (const id of ROOMS) {
      const { members } = this.#places[id];
      const own = members.get(person);
      if (own !== undefined) members.set(person, { ...own, participant: renamed });
    }
    const body = { participant: renamed };
    this.#announce(this.#event("swp.participant.profile", body), PEOPLE, now);
  }

  #joined(id: Room): string[] {
    const members = [...this.#places[id].members];
    return members.filter(([, { membership }]) => membership === "join").map(([who]) => who);
  }

  #event(type: EventFrame["type"], body: Readonly<Record<string, unknown>>): EventFrame {
    this.#position += 1;
    const id = `evt-${this.#position}`;
    return { type, id, tenant_id: "acme", ts: "", stream_position: this.#position, ...body };
  }

  #announce(frame: EventFrame, to: readonly string[], now: Moment): void {
    this.#tell(this.#register.follow(frame, now), now);
    this.#send(frame, to);
  }

  #tell(changes: readonly LivenessChange[], now: Moment): void {
    for (const change of changes) {
      if (!("typing" in change) || change.room_id === "lobby")
        this.#awareness.touch(change.participant_id);
      if ("typing" in change) {
        const { room_id, participant_id } = change;
        const others = this.#joined(room_id as Room).filter((id) => id !== participant_id);
        this.#send(
          { type: "typing", tenant_id: "acme", ts: isoOf(now.elapsed), ...change },
          others,
        );
        continue;
      }
      const { participant_id, own, told } = change;
      const frame = (state: typeof own | typeof told): ServerFrame =>
        presenceFrame("acme", participant_id, state ?? "offline", isoOf(now.elapsed));
      const others = PEOPLE.filter((id) => id !== participant_id);
      if (told !== undefined) this.#send(frame(told), others);
      if (own !== undefined) this.#send(frame(own), [participant_id]);
    }
  }

  #send(frame: ServerFrame, to: readonly string[]): void {
    const text = JSON.stringify(frame);
    for (const id of to) this.#heard.get(id)?.push(text);
  }
}

const TOKEN = "t1";

function actorOf(device_id: string | undefined): Actor {
  return { device_id, token_id: TOKEN };
}

/** The name of the source that a socket is. */
export function nameOf({ device, instance, door }: Socket): SourceName {
  return { device_id: device, instance, door };
}

function keyOf(person: string, { device_id, instance, door }: Name): string {
  return `${person}/${device_id}/${instance}/${door}`;
}
