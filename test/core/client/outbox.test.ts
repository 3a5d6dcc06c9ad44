import { describe, expect, test } from "bun:test";
import {
  applyEdits,
  CodedError,
  checkLeaves,
  composePreferences,
  DEFAULT_PREFERENCES,
  EditsRequest,
  editedAt,
  mergePreferences,
  type PreferenceRegisters,
  type PreferencesPatch,
  PresenceChoice,
  parseInput,
  patchOf,
  readPreferences,
} from "@porchlight/core";
import { type Delivery, Outbox, type OutboxRecord, Rest } from "@porchlight/core/client";
import type { Clock } from "@porchlight/core/clock";
import fc from "fast-check";
import { anyPreferencesPatch } from "../../support/preferences-values.ts";
import { TRIALS_TIMEOUT_MS, trials } from "../../support/runs.ts";

const EPOCH = Date.parse("2026-03-02T09:00:00.000Z");

/** What becomes of a request on its way. */
type Fate = "arrives" | "is lost" | "is answered in vain";

/** As much of a server as an outbox needs: what one person has set, by the word of core. */
class World {
  now = EPOCH;
  fate: Fate = "arrives";
  /** With what a request is refused, if it is. */
  refuseWith: (body: unknown) => string | undefined = () => undefined;
  /** What happens while the next request is underway. */
  meanwhile: () => Promise<void> = async () => {};
  /** What arrived, in order. */
  readonly arrived: Record<string, unknown>[] = [];
  readonly #applied = new Map<string, number>();
  #registers: PreferenceRegisters = {};

  get document(): unknown {
    return readPreferences(this.#registers);
  }

  /** The clock of a device, which is wrong by so much. */
  clock(wrongMs = 0): Clock {
    const now = (): number => this.now;
    const wrong = (): number => this.now + wrongMs;
    return { monotonic: now, elapsed: wrong, wall: wrong, timer: () => () => {} };
  }

  rest(): Rest {
    const fetch = async (_url: string, { body = "" }: { readonly body?: string }) => {
      if (this.fate === "is lost") throw new TypeError("The network is down");
      const text = JSON.stringify(this.#answer(JSON.parse(body)));
      await this.meanwhile();
      if (this.fate === "is answered in vain") throw new TypeError("The network is down");
      return { status: 200, headers: new Headers(), text: async () => text };
    };
    return new Rest({ url: "http://porch", token: "t", runtime: { fetch, clock: this.clock() } });
  }

  /** Tries to deliver what is in an outbox. */
  async deliver(outbox: Outbox, fate: Fate): Promise<void> {
    this.fate = fate;
    await refusalOf(outbox.deliver(this.rest()));
  }

  /** A device with an outbox, kept in `kept`. */
  outbox(
    options: {
      device_id?: string;
      instance?: string;
      wrongMs?: number;
      kept?: Kept;
      onDelivery?: (d: Delivery) => void;
    } = {},
  ): Outbox {
    const {
      device_id = "laptop",
      instance = "tab",
      wrongMs = 0,
      kept,
      onDelivery = () => {},
    } = options;
    return new Outbox({
      device_id,
      instance,
      clock: this.clock(wrongMs),
      storage: kept,
      onQueued: () => {},
      onDelivery,
    });
  }

  #answer(body: Record<string, unknown>): unknown {
    this.arrived.push(body);
    const code = this.refuseWith(body);
    if (code !== undefined) return { error: { code, message: "Refused" } };
    return { data: "edits" in body ? this.#edit(body) : this.#choose(body) };
  }

  #choose(body: unknown): unknown {
    const { state = "online", edited_at } = parseInput(PresenceChoice, body);
    return { state, source: "manual", age: this.now - (edited_at ?? 0) };
  }

  #edit(body: unknown): unknown {
    const { device_id, sent_at, edits } = parseInput(EditsRequest, body, "patch");
    const checked = edits.map(({ seq, edited_at, patch }) => ({
      seq,
      at: editedAt({ edited_at, sent_at }, this.now),
      ...checkLeaves(patch),
    }));
    const before = { registers: this.#registers, applied_seq: this.#applied.get(device_id) ?? 0 };
    const { registers, applied_seq, superseded } = applyEdits(before, device_id, checked);
    this.#registers = registers;
    this.#applied.set(device_id, applied_seq);
    const rejected = checked.flatMap(({ seq, faults }) => faults.map((each) => ({ seq, ...each })));
    return { preferences: this.document, applied_seq, superseded, rejected };
  }
}

/** Where an outbox is kept: what was saved is there after a restart, as JSON is. */
class Kept {
  #text: string | undefined;
  /** How often it was saved. */
  saves = 0;
  isFull = false;

  async load(): Promise<OutboxRecord | undefined> {
    return this.#text === undefined ? undefined : JSON.parse(this.#text);
  }

  async save(record: OutboxRecord): Promise<void> {
    if (this.isFull) throw new Error("The disk is full");
    this.saves += 1;
    this.#text = JSON.stringify(record);
  }
}

/** What was refused with, `undefined` when it was not. */
async function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => (error instanceof CodedError ? error.code : String(error)),
  );
}

/** What one of three devices does: it edits, it tries to deliver, or it restarts. */
interface DeviceAct {
  readonly device: number;
  readonly edit?: PreferencesPatch;
  readonly fate?: Fate;
}

/** Lets devices, each with a clock that is wrong in its own way, do all this, each act at another moment. */
async function play(
  wrongs: readonly number[],
  acts: readonly DeviceAct[],
): Promise<{ world: World; devices: { outbox: Outbox }[] }> {
  const world = new World();
  const devices = wrongs.map((wrongMs, index) => {
    // Tabs of one device, so that even its name tells them not apart.
    const options = { instance: `tab-${index}`, wrongMs, kept: new Kept() };
    return { options, outbox: world.outbox(options) };
  });
  for (const { device, edit, fate } of acts) {
    world.now += 7;
    const its = devices[device];
    if (its === undefined) continue;
    if (edit !== undefined) await its.outbox.edit(edit);
    else if (fate !== undefined) await world.deliver(its.outbox, fate);
    else its.outbox = world.outbox(its.options);
  }
  return { world, devices };
}

describe("Outbox", () => {
  test("keeps a choice until it is delivered, with its age, by whatever clock the device has", async () => {
    const world = new World();
    const deliveries: Delivery[] = [];
    const outbox = world.outbox({
      wrongMs: -86_400_000,
      onDelivery: (each) => deliveries.push(each),
    });
    await outbox.choose({ state: "busy" });
    world.now += 60_000;
    world.fate = "is lost";
    expect(await refusalOf(outbox.deliverChoice(world.rest()))).toBe("SW_UNAVAILABLE");
    expect(outbox.record.choice?.choice).toEqual({ state: "busy" });
    world.fate = "arrives";
    await outbox.deliverChoice(world.rest());
    expect(world.arrived).toEqual([
      {
        state: "busy",
        device_id: "laptop",
        edited_at: "2026-03-01T09:00:00.000Z",
        sent_at: "2026-03-01T09:01:00.000Z",
      },
    ]);
    expect(outbox.record.choice).toBeNull();
    expect(deliveries).toMatchObject([{ kind: "choice", answer: { state: "busy" } }]);
    await outbox.deliver(world.rest());
    expect(world.arrived).toHaveLength(1);
  });

  test("keeps only the latest choice, also when an earlier one is just being delivered", async () => {
    const world = new World();
    const outbox = world.outbox();
    await outbox.choose({ state: "busy" });
    await outbox.choose({ auto: true });
    world.meanwhile = () => outbox.choose({ state: "appear_offline" });
    await outbox.deliver(world.rest());
    world.meanwhile = async () => {};
    expect(world.arrived).toMatchObject([{ auto: true }]);
    expect(outbox.record.choice?.choice).toEqual({ state: "appear_offline" });
    await outbox.deliver(world.rest());
    expect(world.arrived).toMatchObject([{ auto: true }, { state: "appear_offline" }]);
  });

  test("joins no edits of different times, and drops a leaf that is set again later", async () => {
    const world = new World();
    const outbox = world.outbox();
    await outbox.edit({ locale: "nl", quiet_hours: { start: "22:00", end: "07:00" } });
    world.now += 1_000;
    await outbox.edit({ quiet_hours: { start: "23:00" } });
    world.now += 1_000;
    await outbox.edit({ locale: "de" });
    expect(outbox.record.edits).toEqual([
      { seq: EPOCH, edited_at: EPOCH, patch: { quiet_hours: { end: "07:00" } } },
      { seq: EPOCH + 1_000, edited_at: EPOCH + 1_000, patch: { quiet_hours: { start: "23:00" } } },
      { seq: EPOCH + 2_000, edited_at: EPOCH + 2_000, patch: { locale: "de" } },
    ]);
    expect(outbox.patch).toEqual({ locale: "de", quiet_hours: { start: "23:00", end: "07:00" } });
    await outbox.edit({ locale: "nl", quiet_hours: { start: "21:00", end: "06:00" } });
    expect(outbox.record.edits).toHaveLength(1);
  });

  test("sends nothing twice when it is to be delivered twice at once", async () => {
    const world = new World();
    const outbox = world.outbox();
    await Promise.all([outbox.choose({ state: "busy" }), outbox.edit({ locale: "nl" })]);
    await Promise.all([outbox.deliver(world.rest()), outbox.deliver(world.rest())]);
    expect(world.arrived).toHaveLength(2);
  });

  test("keeps nothing of a patch without leaves", async () => {
    const outbox = new World().outbox();
    await outbox.edit({ quiet_hours: {}, locale: undefined });
    expect([outbox.record.edits, outbox.isEmpty]).toEqual([[], true]);
  });

  test("keeps an edit that is made while earlier ones are being delivered", async () => {
    const world = new World();
    const outbox = world.outbox();
    await outbox.edit({ locale: "nl" });
    world.now += 1;
    world.meanwhile = () => outbox.edit({ locale: "de" });
    await outbox.deliver(world.rest());
    world.meanwhile = async () => {};
    expect(outbox.patch).toEqual({ locale: "de" });
    await outbox.deliver(world.rest());
    expect(world.document).toMatchObject({ locale: "de" });
  });

  test("reports what was superseded and what was rejected, and sends neither again", async () => {
    const world = new World();
    const young = world.outbox({ device_id: "phone" });
    const deliveries: Delivery[] = [];
    const told = world.outbox({ device_id: "tablet", onDelivery: (each) => deliveries.push(each) });
    await told.edit({ locale: "nl", timezone: "Mars/Olympus" });
    world.now += 1;
    await young.edit({ locale: "de" });
    await young.deliver(world.rest());
    await told.deliver(world.rest());
    expect(deliveries).toMatchObject([
      {
        kind: "edit",
        answer: {
          preferences: { locale: "de", timezone: "UTC" },
          superseded: [{ seq: EPOCH, path: "locale" }],
          rejected: [{ seq: EPOCH, path: "timezone" }],
        },
      },
    ]);
    expect(told.isEmpty).toBe(true);
  });

  test("reports and drops what is refused for what it is, and keeps what is refused for anything else", async () => {
    const world = new World();
    const deliveries: Delivery[] = [];
    const outbox = world.outbox({ onDelivery: (each) => deliveries.push(each) });
    await outbox.choose({ state: "busy" });
    await outbox.edit({ locale: "nl" });
    for (const code of ["SW_UNAVAILABLE", "SW_AUTH_EXPIRED_TOKEN", "SW_RATE_LIMIT_EXCEEDED"]) {
      world.refuseWith = () => code;
      expect(await refusalOf(outbox.deliver(world.rest()))).toBe(code);
    }
    expect([outbox.record.edits.length, outbox.record.choice?.choice]).toEqual([
      1,
      { state: "busy" },
    ]);
    expect(deliveries).toEqual([]);
    world.refuseWith = () => "SW_VALIDATION";
    await outbox.deliver(world.rest());
    expect(outbox.isEmpty).toBe(true);
    expect(deliveries).toMatchObject([
      { kind: "refused", what: "choice", error: { code: "SW_VALIDATION" } },
      { kind: "refused", what: "edit", error: { code: "SW_VALIDATION" } },
    ]);
  });

  test("goes on behind what it sent before when what was kept of it is lost", async () => {
    const world = new World();
    await world.outbox().edit({ push: false });
    const before = world.outbox();
    await before.edit({ locale: "nl" });
    await before.deliver(world.rest());
    const after = world.outbox();
    world.now += 1;
    await after.edit({ locale: "de" });
    await after.deliver(world.rest());
    expect(world.document).toMatchObject({ locale: "de" });
  });

  test("loses nothing to another tab of the same device", async () => {
    const world = new World();
    const [one, other] = [world.outbox({ instance: "one" }), world.outbox({ instance: "other" })];
    await one.edit({ locale: "de" });
    await other.edit({ push: false });
    world.now += 1;
    await one.edit({ time_format: "12h" });
    await other.deliver(world.rest());
    await one.deliver(world.rest());
    expect(world.document).toMatchObject({ locale: "de", push: false, time_format: "12h" });
  });

  test("sends each edit by itself, so that none suffers for another that is refused", async () => {
    const world = new World();
    const deliveries: Delivery[] = [];
    const outbox = world.outbox({ onDelivery: (each) => deliveries.push(each) });
    await outbox.edit({ locale: "de" });
    world.now += 1;
    await outbox.edit({ keyword_alerts: ["\ud800"] });
    world.now += 1;
    await outbox.edit({ push: false });
    world.refuseWith = (body) =>
      JSON.stringify(body).includes("keyword_alerts") ? "SW_CONTENT_TOO_LARGE" : undefined;
    await outbox.deliver(world.rest());
    expect(deliveries.map(({ kind }) => kind)).toEqual(["edit", "refused", "edit"]);
    expect(world.document).toMatchObject({ locale: "de", keyword_alerts: [], push: false });
    expect(outbox.isEmpty).toBe(true);
  });

  test("tells what has become of an edit also when that cannot be saved", async () => {
    const [world, kept] = [new World(), new Kept()];
    const deliveries: Delivery[] = [];
    const outbox = world.outbox({ kept, onDelivery: (each) => deliveries.push(each) });
    await outbox.choose({ state: "busy" });
    await outbox.edit({ locale: "nl" });
    kept.isFull = true;
    expect(await refusalOf(outbox.deliver(world.rest()))).toBe("Error: The disk is full");
    expect(await refusalOf(outbox.deliver(world.rest()))).toBe("Error: The disk is full");
    expect(deliveries.map(({ kind }) => kind)).toEqual(["choice", "edit"]);
  });

  test("is there after a restart, and has been saved before it says so", async () => {
    const [world, kept] = [new World(), new Kept()];
    const first = world.outbox({ kept });
    await Promise.all([first.choose({ state: "idle" }), first.edit({ locale: "nl" })]);
    expect(kept.saves).toBe(2);
    const second = world.outbox({ kept });
    expect(second.isEmpty).toBe(true);
    await second.deliver(world.rest());
    expect(world.document).toMatchObject({ locale: "nl" });
    expect(world.arrived).toMatchObject([
      { state: "idle" },
      { edits: [{ patch: { locale: "nl" } }] },
    ]);
    const third = world.outbox({ kept });
    await third.load();
    expect(third.isEmpty).toBe(true);
  });

  test("says so when it cannot be saved, delivers it all the same, and saves the next", async () => {
    const [world, kept] = [new World(), new Kept()];
    const outbox = world.outbox({ kept });
    kept.isFull = true;
    expect(await refusalOf(outbox.edit({ locale: "nl" }))).toBe("Error: The disk is full");
    kept.isFull = false;
    await outbox.edit({ time_format: "12h" });
    await outbox.deliver(world.rest());
    expect(world.document).toMatchObject({ locale: "nl", time_format: "12h" });
  });

  test("tries again to take up what was saved when that failed", async () => {
    const [world, kept] = [new World(), new Kept()];
    await world.outbox({ kept }).edit({ locale: "nl" });
    let isOut = true;
    const outbox = new Outbox({
      device_id: "laptop",
      instance: "tab",
      clock: world.clock(),
      onQueued: () => {},
      onDelivery: () => {},
      storage: {
        load: () => (isOut ? Promise.reject(new Error("The disk is out")) : kept.load()),
        save: (record) => kept.save(record),
      },
    });
    expect(await refusalOf(outbox.edit({ time_format: "12h" }))).toBe("Error: The disk is out");
    isOut = false;
    await outbox.edit({ push: false });
    expect(outbox.patch).toEqual({ locale: "nl", push: false });
  });

  test(
    "brings three devices with wrong clocks, whose requests get lost and repeated, to one document: the latest of each leaf",
    async () => {
      const device = fc.nat(2);
      const fate = fc.constantFrom<Fate>("arrives", "is lost", "is answered in vain");
      const act: fc.Arbitrary<DeviceAct> = fc.oneof(
        { weight: 3, arbitrary: fc.record({ device, edit: anyPreferencesPatch }) },
        { weight: 2, arbitrary: fc.record({ device, fate }) },
        { weight: 1, arbitrary: fc.record({ device }) },
      );
      const wrong = fc.constantFrom(0, -3_600_000, 86_400_000, 250, -1);
      await fc.assert(
        fc.asyncProperty(
          fc.tuple(wrong, wrong, wrong),
          fc.array(act, { maxLength: 20, size: "max" }),
          async (wrongs, acts) => {
            const { world, devices } = await play(wrongs, acts);
            for (const { outbox } of devices) await world.deliver(outbox, "arrives");
            const latest = acts.reduce<PreferencesPatch>(
              (patch, { edit = {} }) => composePreferences(patch, edit),
              {},
            );
            const { leaves } = checkLeaves(latest);
            expect(world.document).toEqual(mergePreferences(DEFAULT_PREFERENCES, patchOf(leaves)));
            expect(devices.every(({ outbox }) => outbox.isEmpty)).toBe(true);
          },
        ),
        trials(500),
      );
    },
    TRIALS_TIMEOUT_MS,
  );
});
