import { describe, expect } from "bun:test";
import { Nginx } from "../deploy/proxy.ts";
import { findNginx } from "../runtimes/deployment.ts";
import { testWith } from "../runtimes/runtimes.ts";
import { NodeFleet, Watcher } from "../support/fleet.ts";
import { isLong } from "../support/runs.ts";

const CLIENTS = 60;
const NODES = 3;
/** As documented, or for a quick look; long enough to come back in. */
const RESTART_GRACE_MS = isLong ? 20_000 : 6_000;

describe("three nodes behind nginx without sticky sessions", () => {
  testWith(
    findNginx(),
    "are restarted one after the other: no request fails, and nobody hears of a change of presence",
    async (nginx) => {
      const people = Array.from({ length: CLIENTS }, (_, index) => `p${index}`);
      const watchers = ["w0", "w1", "w2"];
      await using fleet = await NodeFleet.start({
        nodes: NODES,
        people: [...people, ...watchers],
        env: { PORCHLIGHT_RESTART_GRACE_MS: String(RESTART_GRACE_MS) },
      });
      await using proxy = await Nginx.startNodes(
        nginx,
        fleet.nodes.map(({ url }) => url),
      );
      const first = new Watcher(await fleet.stream(0, "w0"));
      const returning = new Returning(fleet, proxy.url);
      await Promise.all(people.map((id) => returning.connect(id)));
      await first.until(() => people.every((id) => first.at(id, "online") !== undefined));

      for (let node = 0; node < NODES; node += 1) {
        const others = [0, 1, 2].filter((other) => other !== node);
        const views = await Promise.all(
          others.map(async (other) => new Watcher(await fleet.stream(other, `w${other}`))),
        );
        await fleet.restart(node);
        await returning.everyone();
        const states = await fleet.ask(proxy.url, "w0", "POST", "/v1/presence/query", {
          ids: people,
        });
        expect(new Set(Object.values(states.body.data))).toEqual(new Set(["online"]));
        // Whoever was not back by then would be told to be gone.
        await fleet.pass(node === NODES - 1 ? RESTART_GRACE_MS + 2_000 : 0);
        for (const view of views) expect(view.toldOf(...people)).toEqual([]);
      }
      returning.stop();
      expect(returning.statuses).toEqual(new Set([200]));
      expect(returning.returns).toBeGreaterThanOrEqual(CLIENTS);
    },
  );
});

/** People whose clients come back when they are sent away, and ask for something whenever they do. */
class Returning {
  readonly statuses = new Set<number>();
  /** How often somebody came back. */
  returns = 0;
  readonly #fleet: NodeFleet;
  readonly #proxy: string;
  readonly #connecting = new Set<Promise<void>>();
  #isStopped = false;

  constructor(fleet: NodeFleet, proxy: string) {
    this.#fleet = fleet;
    this.#proxy = proxy;
  }

  connect(id: string): Promise<void> {
    const connecting = this.#connect(id).finally(() => this.#connecting.delete(connecting));
    this.#connecting.add(connecting);
    return connecting;
  }

  /** Resolves when nobody is on the way. */
  async everyone(): Promise<void> {
    while (this.#connecting.size > 0) await Promise.all(this.#connecting);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #connect(id: string): Promise<void> {
    const stream = await this.#fleet
      .stream(this.#proxy, id, { presence: "none" })
      .catch(() => undefined);
    // The node that it met was about to stop: another one takes it.
    if (stream === undefined) return this.#connect(id);
    void stream.closed.then(() => {
      if (this.#isStopped) return;
      this.returns += 1;
      void this.connect(id);
    });
    const { status } = await this.#fleet.ask(this.#proxy, id, "GET", "/v1/me");
    this.statuses.add(status);
  }
}
