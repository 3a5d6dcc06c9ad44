import { describe } from "bun:test";
import type { MakeDatabase } from "../../support/store.ts";
import { feedConformance } from "./conformance/feed.ts";
import { issuedConformance } from "./conformance/issued-person.ts";
import { membershipConformance } from "./conformance/membership.ts";
import { messagesConformance } from "./conformance/messages.ts";
import { movingConformance } from "./conformance/moving.ts";
import { peopleConformance } from "./conformance/people.ts";
import { promisesConformance } from "./conformance/promises.ts";
import { readingConformance } from "./conformance/reading.ts";
import { replayConformance } from "./conformance/replay.ts";
import { roomWritesConformance } from "./conformance/room-writes.ts";
import { roomsConformance } from "./conformance/rooms.ts";
import { snoozesConformance } from "./conformance/snoozes.ts";
import { tenantsConformance } from "./conformance/tenants.ts";
import { textsConformance } from "./conformance/texts.ts";

/** Everything that the port `Store` promises, to be run against every adapter of it. */
export function storeConformance(name: string, makeDatabase: MakeDatabase): void {
  describe(name, () => {
    promisesConformance(makeDatabase);
    tenantsConformance(makeDatabase);
    peopleConformance(makeDatabase);
    issuedConformance(makeDatabase);
    roomsConformance(makeDatabase);
    membershipConformance(makeDatabase);
    readingConformance(makeDatabase);
    snoozesConformance(makeDatabase);
    movingConformance(makeDatabase);
    roomWritesConformance(makeDatabase);
    messagesConformance(makeDatabase);
    replayConformance(makeDatabase);
    feedConformance(makeDatabase);
    textsConformance(makeDatabase);
  });
}
