import { ATTACKING } from "./attacking.ts";
import { CROWD } from "./crowd.ts";
import { FORGING } from "./forging.ts";
import { HEARING } from "./hearing.ts";
import { LEAVING } from "./leaving.ts";
import { RETURNING } from "./returning.ts";
import type { Scenario } from "./scenario.ts";

/** Everything that is tried, in the order of the table. */
export const SCENARIOS: readonly Scenario[] = [
  ...HEARING,
  ...RETURNING,
  ...LEAVING,
  ...FORGING,
  ...CROWD,
  ...ATTACKING,
];
