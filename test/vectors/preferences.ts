import {
  applyEdits,
  CodedError,
  checkLeaves,
  composePreferences,
  EditsRequest,
  editedAt,
  mergePreferences,
  type PreferenceRegisters,
  type Preferences,
  PreferencesBody,
  type PreferencesPatch,
  parseInput,
  preferenceLeaves,
  preferenceWarnings,
  readPreferences,
  writePreferences,
} from "@porchlight/core";
import { type Check, canonical, onlyKeys } from "./check.ts";

/** Something sent at `now`: a patch, or a device's edits and what is answered. */
type Sent =
  | { readonly now: string; readonly put: unknown }
  | {
      readonly now: string;
      readonly device_id: string;
      readonly sent_at: string;
      readonly edits: unknown;
      readonly expect: object;
    };

/** What a vector of each kind says. Documents and patches that it expects are written as leaves by path. */
interface Kinds {
  put: { patches: readonly unknown[]; expect: { document?: object; faults?: readonly string[] } };
  compose: { first: PreferencesPatch; second: PreferencesPatch; expect: { patch: object } };
  warn: { document: PreferencesPatch; expect: { warnings: readonly string[] } };
  edits: { history: readonly Sent[]; expect: { document: object } };
}
type Vector = { [K in keyof Kinds]: { readonly do: K } & Kinds[K] }[keyof Kinds];

/** What is common to all vectors of the file. */
interface Common {
  readonly defaults: Preferences;
}

/** Puts, composes, warns or edits, as the vector says. */
export function playPreferences(vector: Vector, common: Common): Iterable<Check> {
  if (vector.do === "put") return put(vector, common);
  if (vector.do === "compose") return compose(vector, common);
  if (vector.do === "warn") return warn(vector, common);
  if (vector.do === "edits") return edits(vector, common);
  throw new TypeError(`"${(vector as { do: unknown }).do}" is nothing that can be done`);
}

/** Merges one patch after the other; one with a fault changes nothing. */
function* put(vector: Kinds["put"] & object, { defaults }: Common): Generator<Check> {
  onlyKeys(vector, "do", "patches", "expect");
  onlyKeys(vector.expect, "document", "faults");
  let document = defaults;
  const faults: string[] = [];
  for (const patch of vector.patches) {
    const paths = faultsOf(() => {
      document = mergePreferences(document, parseInput(PreferencesBody, patch));
    });
    faults.push(...paths);
  }
  yield ["the faults", faults.sort(), [...(vector.expect.faults ?? [])].sort()];
  yield [
    "what differs from the defaults",
    differing(document, defaults),
    vector.expect.document ?? {},
  ];
}

function* compose(vector: Kinds["compose"], { defaults }: Common): Generator<Check> {
  onlyKeys(vector, "do", "first", "second", "expect");
  const { first, second } = vector;
  const both = composePreferences(first, second);
  yield ["the composed patch", both, vector.expect.patch];
  yield [
    "the document after it",
    mergePreferences(defaults, both),
    mergePreferences(mergePreferences(defaults, first), second),
  ];
}

function* warn(vector: Kinds["warn"], { defaults }: Common): Generator<Check> {
  onlyKeys(vector, "do", "document", "expect");
  const warnings = preferenceWarnings(mergePreferences(defaults, vector.document));
  yield ["what is warned of", warnings.map(({ path }) => path), vector.expect.warnings];
}

/** Answers everything sent as a server does, with the registers and each device's high-water mark between. */
function* edits(vector: Kinds["edits"], { defaults }: Common): Generator<Check> {
  onlyKeys(vector, "do", "history", "expect");
  let registers: PreferenceRegisters = {};
  const marks = new Map<string, number>();
  for (const sent of vector.history) {
    const now = Date.parse(sent.now);
    if ("put" in sent) {
      onlyKeys(sent, "now", "put");
      registers = writePreferences(registers, parseInput(PreferencesBody, sent.put), now);
      continue;
    }
    onlyKeys(sent, "now", "device_id", "sent_at", "edits", "expect");
    const { now: _now, expect, ...body } = sent;
    const { device_id, sent_at, edits: made } = parseInput(EditsRequest, body, "patch");
    const checked = made.map(({ seq, edited_at, patch }) => {
      return { seq, at: editedAt({ edited_at, sent_at }, now), ...checkLeaves(patch) };
    });
    const before = { registers, applied_seq: marks.get(device_id) ?? 0 };
    const { applied_seq, superseded, ...after } = applyEdits(before, device_id, checked);
    registers = after.registers;
    marks.set(device_id, applied_seq);
    const rejected = checked.flatMap(({ seq, faults }) =>
      faults.map(({ path }) => ({ seq, path })),
    );
    const answer = { applied_seq, superseded, rejected: rejected.map(canonical).sort() };
    yield [`what ${device_id} is answered at ${sent.now}`, answer, answerOf(expect)];
  }
  const document = readPreferences(registers, defaults);
  yield ["what differs from the defaults", differing(document, defaults), vector.expect.document];
}

/** What a device is to be answered; empty lists are left out in vectors. */
function answerOf(expect: {
  applied_seq?: number;
  superseded?: readonly object[];
  rejected?: readonly object[];
}): object {
  onlyKeys(expect, "applied_seq", "superseded", "rejected");
  const { applied_seq, superseded = [], rejected = [] } = expect;
  return { applied_seq, superseded, rejected: rejected.map(canonical).sort() };
}

/** The leaves of a document, by path, that are not as in the defaults. */
function differing(document: Preferences, defaults: Preferences): object {
  const before = new Map(preferenceLeaves(defaults));
  const changed = preferenceLeaves(document).filter(
    ([path, value]) => canonical(before.get(path)) !== canonical(value),
  );
  return Object.fromEntries(changed);
}

function faultsOf(act: () => void): string[] {
  try {
    act();
    return [];
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return (error.details ?? []).map(({ path }) => path);
  }
}
