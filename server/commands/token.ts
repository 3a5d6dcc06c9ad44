import { parseInput, TokenBody } from "@porchlight/core";
import { newToken, tenantMeant } from "../auth.ts";
import { type Command, configOf, existing, FILE_OPTION, textOf, withStore } from "./command.ts";

/** `porchlight token` */
export const TOKEN: Command = {
  help: `Usage: porchlight token --participant ID [--tenant ID] [--label TEXT] [--expires INSTANT] [--file FILE]

Makes a token and prints it, this once: it is stored as a hash. Works beside a
server that runs, which knows the token at once.

  --participant ID   whose token it is
  --tenant ID        their tenant; needed where several have the participant
  --label TEXT       what it is for
  --expires INSTANT  when it ends, such as 2027-01-31T12:00:00Z (default: never)
  --file FILE        the database (default: the configured one)`,
  options: {
    ...FILE_OPTION,
    participant: { type: "string" },
    tenant: { type: "string" },
    label: { type: "string" },
    expires: { type: "string" },
  },
  operands: [],
  async run(given) {
    const body = parseInput(TokenBody, {
      participant_id: textOf(given, "participant"),
      tenant_id: textOf(given, "tenant"),
      label: textOf(given, "label"),
      expires_at: textOf(given, "expires"),
    });
    const { participant_id, label, expires_at } = body;
    const { token, token_id, hash } = newToken();
    await withStore(existing(configOf(given)), async (store, now) => {
      const what = { kind: "participant", id: participant_id, exists: true } as const;
      const tenant_id = await tenantMeant(store, { tenant_id: undefined }, body.tenant_id, what);
      const owner = { tenant_id, participant_id };
      await store.addToken({ token_id, hash, ...owner, label, expires_at }, now());
    });
    console.log(token);
    console.error(`Its name is ${token_id}. It is shown this once.`);
    return 0;
  },
};
