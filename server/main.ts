import { DEFAULT_PREFERENCES } from "@porchlight/core";
import { type Clock, systemClock } from "@porchlight/core/clock";
import type { Server } from "bun";
import type { AnyElysia } from "elysia";
import { Announced } from "./announced.ts";
import { createApp, type WebsocketOptions, websocketOptions } from "./app.ts";
import { openAuth } from "./auth.ts";
import type { ClusterMessage } from "./cluster/message.ts";
import type { openRedis } from "./cluster/open.ts";
import { type Config, readConfig, type Settings, settingsOf } from "./config.ts";
import type { Deps } from "./deps.ts";
import type { Shell } from "./endpoint.ts";
import { type Connection, Hub } from "./hub.ts";
import { jwtWarnings, takesJwts } from "./jwt-settings.ts";
import { rateLimit } from "./limits.ts";
import { Liveness } from "./liveness.ts";
import { errorFields, type Log, logToStderr } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { Nodes } from "./nodes.ts";
import { Notifications } from "./notifications.ts";
import { createPlugin, type Plugin, Running } from "./plugin.ts";
import { recheck } from "./recheck.ts";
import { Snoozes } from "./snoozes.ts";
import { openStore, type StoreOptions } from "./store/open.ts";
import type { Announcement, Store } from "./store/store.ts";
import { Turns } from "./turns.ts";
import { Waiters } from "./waiters.ts";
import { YjsRooms } from "./yjs/rooms.ts";

export type { Clock } from "@porchlight/core/clock";
export type { WebsocketOptions } from "./app.ts";
export {
  type Config,
  ConfigError,
  DEFAULT_LIMITS,
  readConfig,
  SETTINGS,
  type Settings,
  variableOf,
} from "./config.ts";
export type { Log } from "./log.ts";
export type { Plugin } from "./plugin.ts";
export { backupStore, inspectStore, NEWEST_VERSION } from "./store/open.ts";
export type { Store } from "./store/store.ts";

/** A server that listens. */
export interface RunningServer {
  /** Where it is bound, such as `http://127.0.0.1:8787`. */
  readonly url: string;
  readonly store: Store;
  /** Every endpoint, its parameters written as `:name`. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /**
   * Stops in order: refuses new work, tells clients when to come back, finishes what runs, writes down who was there. Safe to call twice.
   * @param options.refuseForMs how long it goes on listening, so that whoever keeps a connection hears of it: 0 by default.
   */
  stop(options?: { readonly refuseForMs?: number }): Promise<void>;
}

/** Porchlight in somebody else's Elysia app: `new Elysia().use(await porchlight())`. */
export type Porchlight = Plugin & {
  readonly store: Store;
  /** What the app's server needs for streams; for an app that is not handed the plugin directly to spread into its `websocket`. */
  readonly websocket: WebsocketOptions;
  /** Stops in order, as {@link RunningServer.stop} does; to be awaited before the app stops. Safe to call twice. */
  stop(): Promise<void>;
};

/** What is outside of a server, by default that of the process. */
export interface Outside {
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
  /** Called with each statement of the store, values and all: for looking on, never for a log. */
  readonly trace?: ((sql: string) => void) | undefined;
  /** Opens the store; the one of the configuration by default. */
  readonly open?: typeof openConfigured | undefined;
  /** Opens what several nodes share; Redis by default. */
  readonly openCluster?: typeof openRedis | undefined;
}

/** A register of devices that is older than this says nothing about who is there. */
const RESTART_WITHIN_MS = 60_000;
/** Sockets are told to come back within this time of a stop, each at another moment. */
const RETURN_WITHIN_MS = 10_000;
const CLOSING_STEPS = 100;
const CLOSING_STEP_MS = 50;
const CLOSED_AT_ONCE = 20;
/** Requests that run when the server stops have this long to finish. */
const FINISH_WITHIN_MS = 3_000;
/** Those that have not finished then are refused, and have this long to be told. */
const REFUSE_WITHIN_MS = 500;

/** Starts a server: store, presence, routes, port. */
export async function startServer(config: Config, options: Outside = {}): Promise<RunningServer> {
  const { deps, stopWith } = await compose(config, options);
  const { clock, shell, store } = deps;
  const app = createApp(deps);
  const server = await listen(app, config).catch(async (error: unknown) => {
    await stopWith(async () => undefined);
    throw error;
  });
  const url = `http://${server.hostname}:${server.port}`;
  shell.log("info", "server.listening", { url });
  return {
    url,
    store,
    routes: app.routes.map(({ method, path }) => ({ method, path })),
    stop: ({ refuseForMs = 0 } = {}) =>
      stopWith(async (finish) => {
        if (refuseForMs > 0) await pause(clock, refuseForMs);
        const finished = server.stop(false);
        await finish(() => finished);
        await server.stop(true);
      }),
  };
}

/**
 * Porchlight as a plugin of an Elysia app: its routes and its stream on the
 * app's port, below the app's prefix if it has one. What it does not know
 * outside of `/v1/`, and what else fails in the app, stays the app's to answer.
 * @param options settings, before those in the environment (`env`, by default that of the process), clock and log.
 * @throws {ConfigError} with every fault of the settings.
 */
export async function porchlight(
  options: Settings & Outside & { env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<Porchlight> {
  const { env = process.env, clock, log, trace, open, ...settings } = options;
  const config = readConfig({ ...env, ...settingsOf(settings) });
  const { deps, stopWith } = await compose(config, { clock, log, trace, open });
  const running = new Running();
  const stop = (): Promise<void> => stopWith((finish) => finish(() => running.finished()));
  return Object.assign(createPlugin(deps, { running, stop }), {
    store: deps.store,
    websocket: websocketOptions(config),
    stop,
  });
}

async function listen(app: AnyElysia, { host, port }: Config): Promise<Server<unknown>> {
  app.listen({ hostname: host, port });
  if (app.server === null) throw new Error("Cannot start as the port was not bound");
  return app.server;
}

/** What a server consists of, not reachable yet. */
interface Composition {
  readonly deps: Deps;
  /** Stops it in order, once. @param finishRequests is handed what waits for those that run, but not for ever. */
  stopWith(finishRequests: (finish: Finish) => Promise<void>): Promise<void>;
}

/** Waits for what runs; after a while refuses what still does, such as a slow upload. */
type Finish = (finished: () => Promise<void>) => Promise<void>;

async function compose(config: Config, options: Outside): Promise<Composition> {
  const { clock = systemClock(), log = logToStderr, open = openConfigured } = options;
  const rules = {
    ...config.timings,
    manual_without_device: config.manualWithoutDevice,
    typing_rate: config.limits.typing_rate,
  };
  const metrics = new Metrics(() => clock.monotonic());
  const announced = new Announced();
  const waiters = new Waiters({ clock, most: config.limits.sockets_per_participant });
  const hub = new Hub({
    clock,
    announced,
    metrics,
    pingMs: config.timings.ping_ms,
    backlogMaxBytes: config.limits.backlog_max_bytes,
    socketsMax: config.limits.sockets_per_participant,
  });
  const { redisUrl, redisPrefix: prefix } = config;
  // A node that is alone starts without what talks to Redis, which would take it a third longer.
  const openCluster =
    redisUrl === undefined
      ? undefined
      : (options.openCluster ?? (await import("./cluster/open.ts")).openRedis);
  const node = redisUrl === undefined ? undefined : crypto.randomUUID();
  const liveness = new Liveness({ clock, hub, metrics, rules, node });
  const followers: readonly ((announcement: Announcement) => void)[] = [
    (each) => announced.add(each),
    (each) => waiters.wake(each),
    (each) => liveness.follow(each),
    (each) => hub.announce(each),
    (each) => yjs.follow(each),
    (each) => notifications.follow(each),
  ];
  const tell = (announcement: Announcement): void => {
    for (const follow of followers) {
      try {
        follow(announcement);
      } catch (error) {
        // What is written is written: that telling it failed must not fail the write, nor those behind it.
        log("error", "announce.failed", { type: announcement.frame.type, ...errorFields(error) });
      }
    }
  };
  const announce = (announcement: Announcement): void =>
    nodes === undefined ? tell(announcement) : nodes.announce(announcement);
  const store = await open(config, announce, {
    trace: options.trace,
    timed: (operation, work) => metrics.store(operation, work),
  });
  const { awareness_max_members } = config.limits;
  const yjs = new YjsRooms({
    clock,
    store,
    announced,
    hub,
    liveness,
    metrics,
    rules: { coalesce_ms: config.timings.coalesce_ms, awareness_max_members },
    frame_max_bytes: config.limits.frame_max_bytes,
  });
  liveness.alsoTell(yjs);
  const notifications = new Notifications({ clock, hub, store, log, metrics });
  const elsewhere = (message: ClusterMessage): void => nodes?.say(message);
  const snoozes = new Snoozes({
    clock,
    store,
    log,
    tell: (until) => elsewhere({ kind: "snoozed", until }),
  });
  const nodes =
    redisUrl === undefined || node === undefined || openCluster === undefined
      ? undefined
      : new Nodes({
          clock,
          hub,
          liveness,
          log,
          rules: { ...config.timings, node_lease_ms: config.nodeLeaseMs },
          snoozes,
          store,
          yjs,
          recheck: () => recheck({ hub, store }, (key) => liveness.forget(key)),
          tell,
          open: (deliver) =>
            openCluster({
              url: redisUrl,
              prefix,
              node,
              deliver,
              failed: (error) => log("warn", "redis.failed", errorFields(error)),
            }),
        });
  metrics.watch({
    doors: () => hub.all().map(({ door }) => door),
    devices: () => liveness.devices,
    polls: () => waiters.size,
    rooms: () => yjs.size,
    entries: () => yjs.entries,
    nodes: () => nodes?.size ?? 1,
  });
  try {
    for (const facts of await store.presenceFacts()) liveness.recall(facts);
    // Those of several nodes remember who was there for one another.
    if (nodes === undefined) await takeUp(store, { liveness, yjs }, clock);
    else await nodes.start();
    await snoozes.start();
  } catch (error) {
    await nodes?.stop();
    await store.close();
    throw error;
  }

  let stopping: Promise<void> | undefined;
  const issuer = takesJwts(config)
    ? (await import("./issuer.ts")).openIssuer(config, { clock, log })
    : undefined;
  const givingUp = new AbortController();
  const shell: Shell = {
    auth: openAuth({ store, config, clock, issuer, log }),
    config,
    log,
    metrics,
    rateLimit: rateLimit(config.limits, () => clock.monotonic()),
    together: nodes,
    stopping: () => stopping !== undefined,
    givenUp: givingUp.signal,
  };
  for (const { path, message } of jwtWarnings(config))
    log("warn", "setting.doubtful", { variable: path, message });
  issuer?.start();
  metrics.start();

  async function finish(finished: () => Promise<void>): Promise<void> {
    await within(FINISH_WITHIN_MS, finished(), clock);
    givingUp.abort();
    await within(REFUSE_WITHIN_MS, finished(), clock);
  }

  async function stop(finishRequests: (finish: Finish) => Promise<void>): Promise<void> {
    log("info", "server.stopping", { sockets: hub.size });
    hub.stop();
    snoozes.stop();
    notifications.stop();
    waiters.stop();
    await closeSockets(hub, clock);
    await finishRequests(finish);
    liveness.stop();
    yjs.stop();
    await issuer?.stop();
    metrics.stop();
    try {
      if (nodes === undefined) await store.keepDevices(liveness.remember(), clock.wall());
      else await nodes.stop();
    } finally {
      await store.close();
    }
    log("info", "server.stopped");
  }

  return {
    deps: {
      shell,
      announce,
      elsewhere,
      store,
      hub,
      liveness,
      snoozes,
      clock,
      announced,
      waiters,
      yjs,
      turns: new Turns(),
    },
    stopWith: (finishRequests) => {
      stopping ??= stop(finishRequests).catch((error: unknown) => {
        log("error", "server.stop_failed", errorFields(error));
        throw error;
      });
      return stopping;
    },
  };
}

/** Looks at the server at a `redis://` address: answers which it is, in which version. */
export async function inspectRedis(url: string): Promise<string> {
  const cluster = await import("./cluster/open.ts");
  return cluster.inspectRedis(url);
}

/** Opens the configured store. */
export function openConfigured(
  config: Config,
  announce: (announcement: Announcement) => void,
  looking: Pick<StoreOptions, "trace" | "timed"> = {},
): Promise<Store> {
  return openStore({
    url: config.databaseUrl,
    server_name: config.serverName,
    preferences: { ...DEFAULT_PREFERENCES, timezone: config.defaultTimezone },
    // They begin with the time: an index of them grows at its end, not everywhere.
    newId: () => Bun.randomUUIDv7(),
    announce,
    ...looking,
  });
}

/** Learns who was there before an orderly restart. */
async function takeUp(
  store: Store,
  { liveness, yjs }: { liveness: Liveness; yjs: YjsRooms },
  clock: Clock,
): Promise<void> {
  const kept = await store.takeDevices();
  // The machine's clock may have been set back since: what is told now is to be newer all the same.
  yjs.goOnAfter(kept?.keptAt ?? 0);
  const downMs =
    kept === undefined ? Number.POSITIVE_INFINITY : Math.max(0, clock.wall() - kept.keptAt);
  if (kept !== undefined && downMs <= RESTART_WITHIN_MS) liveness.restore(kept.devices, downMs);
}

/** Closes every socket, a share at a time, each with its own moment to come back. */
async function closeSockets(hub: Hub, clock: Clock): Promise<void> {
  const open = hub.all();
  const share = Math.max(CLOSED_AT_ONCE, Math.ceil(open.length / CLOSING_STEPS));
  for (let from = 0; from < open.length; from += share) {
    for (const connection of open.slice(from, from + share)) closeForRestart(hub, connection);
    if (from + share < open.length) await pause(clock, CLOSING_STEP_MS);
  }
}

function closeForRestart(hub: Hub, connection: Connection): void {
  const delayMs = Math.floor(Math.random() * RETURN_WITHIN_MS);
  hub.close(connection, "restart", String(delayMs));
}

/** Waits for what is to come, but not for longer, such as for a slow upload. */
async function within(ms: number, coming: Promise<void>, clock: Clock): Promise<void> {
  let callOff = (): void => undefined;
  const tooLong = new Promise<void>((resolve) => {
    callOff = clock.timer(ms, resolve);
  });
  await Promise.race([coming, tooLong]);
  callOff();
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.timer(ms, resolve));
}
