import { type EventBody, isoOf, type ParticipantBody, type RoomBody } from "@porchlight/core";
import { newToken } from "./auth.ts";
import type { Store } from "./store/store.ts";

const TENANT = "acme";
const ROOM = "room-general";
const MINUTE_MS = 60_000;

/** Whose tokens the demo prints, with what they are good for. */
export interface DemoToken {
  readonly participant_id: string;
  readonly display_name: string;
  readonly tenant_id: string;
  readonly token: string;
}

const PEOPLE: Readonly<Record<string, ParticipantBody & { display_name: string }>> = {
  alice: {
    display_name: "Alice Archer",
    email: "alice@acme.example",
    bio: "Keeps the lights on.",
    roles: ["porchlight_admin"],
  },
  bob: { display_name: "Bob Baker", email: "bob@acme.example" },
  carol: { display_name: "Carol Chen", email: "carol@acme.example", presence: "busy" },
  "ai-1": { display_name: "Ada", participant_type: "model", local_id: "ada" },
  p1: { display_name: "Pia One", presence: "online" },
  p2: { display_name: "Per Two", presence: "idle" },
  p3: { display_name: "Pam Three" },
};

const ROOMS: Readonly<Record<string, RoomBody & { members: Readonly<Record<string, number>> }>> = {
  [ROOM]: {
    name: "General",
    topic: "Whatever does not fit elsewhere",
    members: { alice: 100, bob: 50, carol: 0, "ai-1": 0, p1: 0, p2: 0, p3: 0 },
  },
  "room-garden": {
    name: "Garden",
    topic: "The roof garden",
    is_public: true,
    room_type: "public",
    members: { bob: 100, carol: 0 },
  },
  "room-archive": { name: "Last year", state: "archived", members: { alice: 100, bob: 0 } },
  "room-task": { name: "Research", room_type: "sidekick", members: { alice: 0, "ai-1": 100 } },
};

const MESSAGES: readonly [sender: string, body: string][] = [
  ["alice", "Good morning! The porch light is on."],
  ["bob", "Morning. Who is around today?"],
  ["carol", "Me, but heads down until noon."],
  ["ai-1", "I am always around."],
];

/** Whether a store already holds the demo company. */
export function isFilled(store: Store): Promise<boolean> {
  return store.hasTenant(TENANT);
}

/** Fills an empty store with a small company and its neighbour, and answers tokens for some of its people. */
export async function fillDemo(store: Store, now: number): Promise<readonly DemoToken[]> {
  await store.putTenant(TENANT, {
    slug: "acme",
    name: "Acme",
    features: { sidekicks: true, calls: true },
  });
  await store.putTenant("globex", { slug: "globex", name: "Globex" });
  for (const [participant_id, body] of Object.entries(PEOPLE)) {
    await store.putParticipant({ tenant_id: TENANT, participant_id }, body, now);
  }
  await store.putParticipant(
    { tenant_id: "globex", participant_id: "gwen" },
    { display_name: "Gwen Grey" },
    now,
  );
  for (const [room_id, { members, ...body }] of Object.entries(ROOMS)) {
    await store.putRoom(
      { tenant_id: TENANT, room_id },
      { ...body, creator_id: Object.keys(members)[0] },
      now,
    );
    for (const [participant_id, power_level] of Object.entries(members)) {
      const engagement_mode = participant_id === "ai-1" && room_id === ROOM ? "mention" : undefined;
      await store.putMember(
        { tenant_id: TENANT, room_id, participant_id },
        { membership: "join", power_level, engagement_mode },
        now,
      );
    }
  }
  await store.openDirectRoom({ tenant_id: TENANT, participant_id: "alice" }, "bob", now);
  await fillGeneral(store, now);
  return Promise.all(
    ["alice", "bob", "carol", "p1"]
      .map((id) => tokenFor(store, TENANT, id, now))
      .concat(tokenFor(store, "globex", "gwen", now)),
  );
}

async function fillGeneral(store: Store, now: number): Promise<void> {
  const key = { tenant_id: TENANT, room_id: ROOM };
  for (const [index, [sender_id, body]] of MESSAGES.entries()) {
    const event: EventBody = { sender_id, content: { msgtype: "m.text", body } };
    await store.appendEvent(key, event, now - (MESSAGES.length - index) * MINUTE_MS);
  }
  const steps = [
    {
      id: "s1",
      text: "Collect what the team needs",
      status: "done",
      result: "Five wishes",
      attempts: 1,
    },
    { id: "s2", text: "Compare three suppliers", status: "in_progress", result: null, attempts: 1 },
  ];
  const plan = {
    id: "plan-1",
    room_id: ROOM,
    goal: "Choose new lamps",
    state: "running",
    mode: "sequential",
    advance: "auto",
    venue: "main",
  } as const;
  await store.putPlan(
    key,
    { ...plan, current_step_id: "s2", consecutive_auto_steps: 1, steps },
    now,
  );
  const sidekick = {
    task_id: "task-1",
    codename: "lantern",
    task: "Compare three suppliers",
    status: "running",
  };
  await store.putSidekick(
    key,
    {
      ...sidekick,
      sidekick_room_id: "room-task",
      agent_participant_id: "ai-1",
      started_at: isoOf(now),
      result_summary: null,
    },
    now,
  );
}

async function tokenFor(
  store: Store,
  tenant_id: string,
  participant_id: string,
  now: number,
): Promise<DemoToken> {
  const { token, token_id, hash } = newToken();
  await store.addToken({ token_id, hash, tenant_id, participant_id, label: "demo" }, now);
  const profile = await store.profile({ tenant_id, participant_id });
  return {
    participant_id,
    display_name: profile?.participant.display_name ?? participant_id,
    tenant_id,
    token,
  };
}

/** The documented requests, ready to paste. */
export function curlLines(base: string, [first]: readonly DemoToken[]): string {
  const auth = `-H "Authorization: Bearer $TOKEN"`;
  return [
    `BASE=${base}`,
    `TOKEN=${first?.token ?? ""}`,
    `curl ${auth} "$BASE/v1/presence?ids=p1,p2,p3"`,
    `curl -X PUT ${auth} "$BASE/v1/me/presence" -d '{"state": "busy"}'`,
    `curl -X PUT ${auth} "$BASE/v1/me/presence" -d '{"auto": true}'`,
    `curl -X PUT ${auth} "$BASE/v1/typing" -d '{"room_id": "${ROOM}", "typing": true}'`,
    `curl ${auth} "$BASE/v1/rooms/${ROOM}/state"`,
    `curl ${auth} "$BASE/v1/me"`,
    `curl -X PUT ${auth} "$BASE/v1/me" -d '{"display_name": "Alice A."}'`,
    `curl ${auth} "$BASE/v1/me/preferences"`,
    `curl -X PUT ${auth} "$BASE/v1/me/preferences" -d '{"quiet_hours": {"enabled": true, "start": "22:00", "end": "07:00"}}'`,
  ].join("\n");
}
