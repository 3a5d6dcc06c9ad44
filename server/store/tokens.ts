import type { TokenBody } from "@porchlight/core";
import { participantRow } from "./people.ts";
import { one, type Program, statement } from "./query.ts";
import type { PersonKey, TokenOwner } from "./store.ts";

const selectToken = statement<{ hash: string }>()((db, p) =>
  db
    .selectFrom("tokens")
    .innerJoin("participants", (join) =>
      join
        .onRef("participants.tenant_id", "=", "tokens.tenant_id")
        .onRef("participants.participant_id", "=", "tokens.participant_id"),
    )
    .select([
      "tokens.token_id",
      "tokens.tenant_id",
      "tokens.participant_id",
      "tokens.expires_at",
      "participants.roles_json",
    ])
    .where("tokens.hash", "=", p.hash),
);

const selectTokenById = statement<{ token_id: string }>()((db, p) =>
  db
    .selectFrom("tokens")
    .select(["tenant_id", "participant_id"])
    .where("token_id", "=", p.token_id),
);

const insertToken = statement<{
  token_id: string;
  hash: string;
  tenant_id: string;
  participant_id: string;
  label: string | null;
  created_at: number;
  expires_at: number | null;
}>()((db, p) =>
  db.insertInto("tokens").values({
    token_id: p.token_id,
    hash: p.hash,
    tenant_id: p.tenant_id,
    participant_id: p.participant_id,
    label: p.label,
    created_at: p.created_at,
    expires_at: p.expires_at,
  }),
);

const removeToken = statement<{ token_id: string }>()((db, p) =>
  db.deleteFrom("tokens").where("token_id", "=", p.token_id),
);

export function* token(hash: string): Program<TokenOwner | undefined> {
  const row = yield* one(selectToken, { hash });
  return (
    row && {
      token_id: row.token_id,
      tenant_id: row.tenant_id,
      participant_id: row.participant_id,
      expires_at: row.expires_at ?? undefined,
      roles: JSON.parse(row.roles_json),
    }
  );
}

export function* addToken(
  {
    token_id,
    hash,
    tenant_id,
    participant_id,
    label,
    expires_at,
  }: { token_id: string; hash: string } & PersonKey & Pick<TokenBody, "label" | "expires_at">,
  now: number,
): Program<void> {
  yield* participantRow({ tenant_id, participant_id });
  yield* one(insertToken, {
    token_id,
    hash,
    tenant_id,
    participant_id,
    label: label ?? null,
    created_at: now,
    expires_at: expires_at ?? null,
  });
}

export function* deleteToken(
  token_id: string,
  tenant_id: string | undefined,
): Program<PersonKey | undefined> {
  const owner = yield* one(selectTokenById, { token_id });
  if (owner === undefined || (tenant_id !== undefined && owner.tenant_id !== tenant_id))
    return undefined;
  yield* one(removeToken, { token_id });
  return owner;
}
