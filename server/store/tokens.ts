import type { TokenBody } from "@porchlight/core";
import { participantRow } from "./people.ts";
import { one, type Program, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
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

const insertToken = statement<Tables["tokens"]>()((db, p) =>
  db
    .insertInto("tokens")
    .values({
      token_id: p.token_id,
      hash: p.hash,
      tenant_id: p.tenant_id,
      participant_id: p.participant_id,
      label: p.label,
      created_at: p.created_at,
      expires_at: p.expires_at,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning("token_id"),
);

const removeToken = statement<{ token_id: string }>()((db, p) =>
  db.deleteFrom("tokens").where("token_id", "=", p.token_id),
);

/** Which of these tokens there are. */
export function* knownTokens(token_ids: readonly string[]): Program<ReadonlySet<string>> {
  const known = new Set<string>();
  for (const token_id of token_ids)
    if ((yield* one(selectTokenById, { token_id })) !== undefined) known.add(token_id);
  return known;
}

export function* token(hash: string): Program<TokenOwner | undefined> {
  const row = yield* one(selectToken, { hash });
  return (
    row && {
      token_id: row.token_id,
      tenant_id: row.tenant_id,
      participant_id: row.participant_id,
      expires_at: row.expires_at ?? undefined,
      roles: row.roles_json === "[]" ? NO_ROLES : JSON.parse(row.roles_json),
    }
  );
}

/** Of nearly everyone, who need not have an empty list each. */
const NO_ROLES: readonly string[] = [];

/** A token before it is stored. */
type NewToken = { token_id: string; hash: string } & PersonKey &
  Pick<TokenBody, "label" | "expires_at">;

export function* addToken(token: NewToken, now: number): Program<void> {
  yield* participantRow(token);
  if (yield* addTokenOnce(token, now)) return;
  throw new Error(`Cannot add the token "${token.token_id}" as its name or its hash is taken`);
}

/** Stores a token unless its name or its hash is taken, in whatever tenant; answers whether it did. */
export function* addTokenOnce(
  { token_id, hash, tenant_id, participant_id, label, expires_at }: NewToken,
  created_at: number,
): Program<boolean> {
  const added = yield* one(insertToken, {
    token_id,
    hash,
    tenant_id,
    participant_id,
    label: label ?? null,
    created_at,
    expires_at: expires_at ?? null,
  });
  return added !== undefined;
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
