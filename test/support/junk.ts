import fc from "fast-check";

/** Texts of any code units: control characters, lone surrogates and all. */
export const anyText: fc.Arbitrary<string> = fc.string({
  unit: fc
    .oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
      { weight: 1, arbitrary: fc.integer({ min: 0xd800, max: 0xdfff }) },
      { weight: 1, arbitrary: fc.nat(0xffff) },
    )
    .map((unit) => String.fromCharCode(unit)),
});

const anyKey = fc.oneof(
  fc.constantFrom(
    ..."__proto__ constructor toString hasOwnProperty length then type state auto device_id instance".split(
      " ",
    ),
    ..."ids idle_for_ms room_id typing presence snapshot since q limit offset participant_id".split(
      " ",
    ),
    ..."display_name avatar_url bio locale timezone quiet_hours start end keyword_alerts email".split(
      " ",
    ),
    ..."tenant_id slug name features roles groups room_type created_at muted_until power_level".split(
      " ",
    ),
    ..."id steps status call_id participants ended_at started_at sender_id content expires_at".split(
      " ",
    ),
  ),
  anyText,
);

const anyLeaf = fc.oneof(
  fc.constantFrom<unknown[]>(
    ..."heartbeat typing subscribe bye online idle busy all none indefinite en UTC 22:00".split(
      " ",
    ),
    ..."+01:00 rest:x 2026-01-31T12:00:00Z 2026-99-31T12:00:00Z a@b.c https://x.y join open 0".split(
      " ",
    ),
    ...[-1, 0, 1.5, 2 ** 53, true, false, null, ""],
  ),
  anyText,
  fc.double(),
);

/** JSON values that come close to what is asked for: known keys, and leaves that are right or nearly so. */
export const anyJson: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    anyLeaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(fc.tuple(anyKey, tie("value")), { maxLength: 6 })
      .map((entries) => Object.fromEntries(entries)),
  ),
})).value;

/** `sample` with up to three of its keys, or others, replaced by anything or taken out. */
export function nearly(sample: object): fc.Arbitrary<object> {
  const key = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...Object.keys(sample)) },
    { weight: 1, arbitrary: anyKey },
  );
  return fc
    .array(fc.tuple(key, fc.option(anyJson, { nil: undefined })), { maxLength: 3 })
    .map((changes) => {
      const entries = new Map([...Object.entries(sample), ...changes]);
      return Object.fromEntries([...entries].filter(([, value]) => value !== undefined));
    });
}

/** A value under `levels` lists and objects, in turns. */
export function nested(levels: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}
