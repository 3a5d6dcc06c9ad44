import type { Told } from "./events.ts";
import { personOf, putParticipant } from "./people.ts";
import { one, type Program, statement } from "./query.ts";
import type { IssuedPerson, PersonKey } from "./store.ts";

const selectLabels = statement<PersonKey>()((db, p) =>
  db
    .selectFrom("participants")
    .select(["roles_json", "groups_json"])
    .where("tenant_id", "=", p.tenant_id)
    .where("participant_id", "=", p.participant_id),
);

export function* recognise(person: IssuedPerson): Program<"known" | "changed" | "unknown"> {
  const row = yield* one(selectLabels, personOf(person));
  if (row === undefined) return "unknown";
  const isSame =
    sorted(JSON.parse(row.roles_json)) === sorted(person.roles) &&
    sorted(JSON.parse(row.groups_json)) === sorted(person.groups);
  return isSame ? "known" : "changed";
}

export function* admit(
  person: IssuedPerson,
  making: Parameters<typeof putParticipant>[2],
): Program<Told<undefined>> {
  const { roles, groups, display_name, email } = person;
  const found = yield* recognise(person);
  // Whoever is there has a name and an address that are theirs to change.
  const body = found === "unknown" ? { roles, groups, display_name, email } : { roles, groups };
  const { announcements } = yield* putParticipant(person, body, making);
  return { value: undefined, announcements };
}

function sorted(labels: readonly string[]): string {
  return JSON.stringify(labels.toSorted());
}
