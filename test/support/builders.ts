import {
  type Call,
  DEFAULT_TIMINGS,
  type Me,
  type MemberFacts,
  type Participant,
  type Person,
  type Plan,
  type PresenceRules,
  type ReadFacts,
  type RoomFacts,
  type RoomLife,
  type RoomRecord,
  type Sidekick,
  type Source,
  type SourceName,
  type TypingRules,
  type TypingSignal,
  type ViewerFacts,
} from "@porchlight/core";
import type { Owner, PersonRecord, PersonShare, SharedSource } from "@porchlight/core/sharing";

/** The documented rules of presence, but for what is given. */
export function rules(given: Partial<PresenceRules> = {}): PresenceRules {
  return { ...DEFAULT_TIMINGS, manual_without_device: "keep", ...given };
}

/** The documented rules of typing, without a limit of rate, but for what is given. */
export function typingRules(given: Partial<TypingRules> = {}): TypingRules {
  return { ...DEFAULT_TIMINGS, typing_rate: 0, ...given };
}

/** A stream socket of a laptop, opened and active at 0, that has said nothing. */
export function source(given: Partial<Source> = {}): Source {
  return {
    device_id: "laptop",
    door: "stream",
    instance: "tab",
    statement: undefined,
    activeAt: 0,
    seenAt: 0,
    lingersUntil: undefined,
    ...given,
  };
}

/** The sources of a device: one {@link source} for each of `sources`. */
export function device(device_id: string, ...sources: Partial<Source>[]): Source[] {
  return sources.map((given) => source({ device_id, ...given }));
}

/** A human without devices. */
export function person(given: Partial<Person> = {}): Person {
  return {
    participant_id: "ann",
    manual: undefined,
    alwaysOnline: false,
    sources: [],
    ...given,
  };
}

/** The stream socket of the only tab of a laptop. */
export function sourceName(given: Partial<SourceName> = {}): SourceName {
  return { device_id: "laptop", instance: "tab", door: "stream", ...given };
}

/** A node in its first incarnation. */
export function owner(given: Partial<Owner> = {}): Owner {
  return { node: "b", incarnation: 1, ...given };
}

/** An open stream of a phone at node b, where its user has just been active and has said nothing. */
export function sharedSource(given: Partial<SharedSource> = {}): SharedSource {
  return {
    id: "b.1",
    device_id: "phone",
    door: "stream",
    instance: "tab",
    statement: null,
    said: 0,
    active_ms: 0,
    seen_ms: 0,
    lingers_ms: null,
    ...given,
  };
}

/** What node b has just written: one {@link sharedSource}. */
export function share(given: Partial<PersonShare> = {}): PersonShare {
  return { owner: owner(), age_ms: 0, sources: [sharedSource()], ...given };
}

/** The first record of Ann, in which no node has anything. */
export function personRecord(given: Partial<PersonRecord> = {}): PersonRecord {
  return {
    participant_id: "ann",
    version: 1,
    lineage: "first",
    facts: undefined,
    shares: [],
    ended: {},
    ...given,
  };
}

/** Ann types in the lobby on her laptop. */
export function signal(given: Partial<TypingSignal> = {}): TypingSignal {
  return { room_id: "lobby", participant_id: "ann", source: "laptop", ...given };
}

export function participant(id: string, given: Partial<Participant> = {}): Participant {
  return {
    id,
    local_id: id,
    server_name: "localhost",
    display_name: id,
    participant_type: "human",
    avatar_url: null,
    ...given,
  };
}

/** A joined member; `id` names the participant where `participant` does not. */
export function member({
  id = "ann",
  ...given
}: Partial<MemberFacts> & { id?: string } = {}): MemberFacts {
  return {
    membership: "join",
    power_level: 0,
    joined_at: 0,
    notification_mode: "inherit",
    muted_until: null,
    response_mode: null,
    engagement_mode: null,
    participant: participant(id),
    ...given,
  };
}

/** An open group room. */
export function room(given: Partial<RoomFacts> = {}): RoomFacts {
  return {
    id: "lobby",
    name: "Lobby",
    topic: null,
    room_type: "group",
    state: "open",
    workspace_id: null,
    creator_id: null,
    created_at: 0,
    is_public: false,
    member_count: 0,
    engagement_mode: "always",
    response_mode: null,
    ...given,
  };
}

/** Ann, who has joined. */
export function viewer(given: Partial<ViewerFacts> = {}): ViewerFacts {
  return {
    participant_id: "ann",
    participant_type: "human",
    membership: "join",
    notification_mode: "inherit",
    muted_until: null,
    ai_response_mode: "conversational",
    ...given,
  };
}

export function read(given: Partial<ReadFacts> = {}): ReadFacts {
  return { unread_count: 0, last_read_event_id: null, snoozed_event_ids: [], ...given };
}

export function plan(given: Partial<Plan> = {}): Plan {
  return { id: "plan", state: "running", ...given };
}

export function sidekick(given: Partial<Sidekick> = {}): Sidekick {
  return { task_id: "task", status: "running", ...given };
}

export function call(given: Partial<Call> = {}): Call {
  return { call_id: "call", ended_at: null, ...given };
}

/** An empty room with Ann as the viewer. */
export function roomRecord(given: Partial<RoomRecord> = {}): RoomRecord {
  return {
    counterpart: undefined,
    room: room(),
    members: [],
    viewer: viewer(),
    read: read(),
    plan: undefined,
    sidekicks: [],
    call: undefined,
    stream_position: 0,
    ...given,
  };
}

/** Nobody is there and nobody types. */
export function roomLife(given: Partial<RoomLife> = {}): RoomLife {
  return { presenceOf: () => "offline", typists: [], own: "offline", ...given };
}

export function me(given: Partial<Me> = {}): Me {
  return {
    participant_id: "ann",
    local_id: "ann",
    fqid: "@ann:localhost",
    display_name: "Ann",
    email: null,
    avatar_url: null,
    bio: null,
    personal_workspace_id: null,
    roles: [],
    groups: [],
    presence: "online",
    tenant: { id: "acme", slug: "acme", name: "Acme", features: {} },
    ...given,
  };
}
