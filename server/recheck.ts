import type { Connection, Hub } from "./hub.ts";
import { nameOfPerson, type PersonKey, type Store } from "./store/store.ts";

/** How many tokens, and how many people, are asked for at once. */
const ASKED_AT_ONCE = 200;

/** Tokens of an issuer are not the store's. */
const ISSUED = "jwt-";

/**
 * Finds the sockets whose token or person is no more, as may have been said
 * while this node was cut off: they are closed as they would have been then.
 * @param forget called with each person who is no more.
 */
export async function recheck(
  {
    hub,
    store,
  }: {
    readonly hub: Pick<Hub, "all" | "close">;
    readonly store: Pick<Store, "knownTokens" | "presenceFactsOf">;
  },
  forget: (key: PersonKey) => void,
): Promise<void> {
  const connections = hub.all();
  const tokens = [...new Set(connections.map(({ token_id }) => token_id))];
  for (const some of inShares(tokens.filter((token_id) => !token_id.startsWith(ISSUED)))) {
    const known = await store.knownTokens(some);
    const gone = new Set(some.filter((token_id) => !known.has(token_id)));
    close(hub, connections, ({ token_id }) => gone.has(token_id));
  }
  const people = [...new Map(connections.map((each) => [nameOfPerson(each), each])).values()];
  for (const some of inShares(people)) {
    const facts = await Promise.all(some.map((key) => store.presenceFactsOf(key)));
    for (const [index, key] of some.entries()) {
      if (facts[index] !== undefined) continue;
      close(hub, connections, (each) => nameOfPerson(each) === nameOfPerson(key));
      forget(key);
    }
  }
}

function close(
  hub: Pick<Hub, "close">,
  connections: readonly Connection[],
  isMeant: (connection: Connection) => boolean,
): void {
  for (const each of connections) if (isMeant(each)) hub.close(each, "token_revoked");
}

function* inShares<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += ASKED_AT_ONCE)
    yield all.slice(from, from + ASKED_AT_ONCE);
}
