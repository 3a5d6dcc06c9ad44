import { openStore } from "@porchlight/server/store";
import Database from "better-sqlite3";
import { type Entry, preferencesOf, profileOf, type Subject, stateIn } from "./ledger.ts";

/** What is wrong with a database file, in words, after these writes to the tenant `acme` were sent; nothing, if it holds what it should. */
export async function faultsIn(file: string, sent: readonly Entry[]): Promise<string[]> {
  const refused = sent.filter(({ reply }) => reply !== undefined && reply.status !== 200);
  const db = new Database(file);
  try {
    return [
      ...refused.map(({ subject, reply }) => `${subject} answered ${JSON.stringify(reply?.body)}`),
      ...damage(db),
      ...positionFaults(db),
      ...messageFaults(db, sent),
      ...tokenFaults(db, sent),
      ...profileEventFaults(db),
      ...(await personFaults(file, sent)),
    ];
  } finally {
    db.close();
  }
}

function damage(db: Database.Database): string[] {
  const said = db.pragma("integrity_check", { simple: true });
  return said === "ok" ? [] : [String(said)];
}

/** Every position of the tenant up to its head is one event's. */
function positionFaults(db: Database.Database): string[] {
  const head = db.prepare("select position from tenants where tenant_id = 'acme'").pluck().get();
  const positions = db
    .prepare("select position from events where tenant_id = 'acme' order by position")
    .pluck()
    .all();
  const gap = positions.find((position, index) => position !== index + 1);
  return [
    ...(head === positions.length ? [] : [`the head is ${head} of ${positions.length} events`]),
    ...(gap === undefined ? [] : [`there is a gap or a repeat before position ${gap}`]),
  ];
}

function messageFaults(db: Database.Database, sent: readonly Entry[]): string[] {
  const rows = db
    .prepare<[], { uuid: string; position: number; id: string; body_json: string }>(
      "select event_uuid as uuid, position, event_id as id, body_json from events where type = 'swp.room.message'",
    )
    .all();
  const byUuid = new Map(rows.map((row) => [row.uuid, row]));
  const halves = rows.filter((row) => JSON.parse(row.body_json).content.body !== row.uuid);
  const lost = sent.filter(({ subject, mark, reply }) => {
    if (subject !== "message" || reply === undefined) return false;
    const row = byUuid.get(`m${mark}`);
    return row?.position !== reply.body.data.stream_position || row?.id !== reply.body.data.id;
  });
  return [
    ...(byUuid.size === rows.length ? [] : ["a message is there twice"]),
    ...halves.map(({ uuid }) => `message ${uuid} says something else`),
    ...lost.map(({ mark }) => `message m${mark} is not there as it was answered`),
  ];
}

function tokenFaults(db: Database.Database, sent: readonly Entry[]): string[] {
  const find = db.prepare<[string], { label: string; participant_id: string }>(
    "select label, participant_id from tokens where hash = ?",
  );
  const lost = sent.filter(({ subject, mark, person, reply }) => {
    if (subject !== "token" || reply === undefined) return false;
    const hash = new Bun.CryptoHasher("sha256").update(reply.body.data.token).digest("hex");
    const row = find.get(hash);
    return row?.label !== `m${mark}` || row.participant_id !== person;
  });
  return lost.map(({ mark }) => `token m${mark} was answered and is not there`);
}

/** A profile and the event that tells of it are one write: the last one told is the one that is there. */
function profileEventFaults(db: Database.Database): string[] {
  const rows = db
    .prepare<[], { participant_id: string; bio: string | null; body_json: string }>(
      `select participant_id, bio, body_json from participants join events
       on events.tenant_id = participants.tenant_id and type = 'swp.participant.profile'
       and json_extract(body_json, '$.participant_id') = participant_id
       where participants.tenant_id = 'acme' order by events.position`,
    )
    .all();
  const last = new Map(rows.map((row) => [row.participant_id, row]));
  const halves = [...last.values()].filter((row) => JSON.parse(row.body_json).bio !== row.bio);
  return halves.map((row) => `${row.participant_id} is ${row.bio}, and was told as something else`);
}

/** What a person has is whole, of one write, and of none that was over before an answered one began. */
async function personFaults(file: string, sent: readonly Entry[]): Promise<string[]> {
  const store = await openStore({
    url: `sqlite:${file}`,
    server_name: "localhost",
    newId: () => crypto.randomUUID(),
    announce: () => undefined,
  });
  const facts = await store.presenceFacts();
  const manual = new Map(facts.map((each) => [each.participant_id, each.manual]));
  const faults: string[] = [];
  for (const [key, entries] of Map.groupBy(sent, ({ person, subject }) => `${person} ${subject}`)) {
    const [participant_id = "", subject = ""] = key.split(" ");
    const person = { tenant_id: "acme", participant_id };
    const held: Readonly<Record<string, () => unknown>> = {
      preferences: () => store.preferences(person),
      profile: () => store.me(person),
      presence: () => ({ state: manual.get(participant_id) }),
    };
    const value = held[subject] && (await held[subject]());
    if (value !== undefined && !isPossible(value, entries))
      faults.push(`${key} is ${JSON.stringify(value)}`);
  }
  await store.close();
  return faults;
}

/** Whether a value is that of an entry of the last round in which one was answered, or of a later one. */
function isPossible(value: unknown, entries: readonly Entry[]): boolean {
  const answered = entries.filter(({ reply }) => reply !== undefined);
  const since = Math.max(0, ...answered.map(({ round }) => round));
  // What nobody was told about may not be there at all: then the value is of no entry.
  const marked = entries.filter((entry) => Bun.deepMatch(leftBehind(entry), value));
  return since === 0 ? true : marked.some(({ round }) => round >= since);
}

/** What an entry leaves behind, if nothing comes after it. */
function leftBehind({ subject, mark, round }: Entry): object {
  const values: Readonly<Record<Subject, () => object>> = {
    preferences: () => preferencesOf(mark),
    profile: () => profileOf(mark),
    presence: () => ({ state: stateIn(round) }),
    message: () => ({}),
    token: () => ({}),
  };
  return values[subject]();
}
