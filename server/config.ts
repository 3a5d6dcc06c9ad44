import {
  DEFAULT_TIMINGS,
  type Fault,
  PreferencesBody,
  type PresenceRules,
  parseInput,
  type StreamLimits,
  type Timings,
  timingFaults,
} from "@porchlight/core";
import { DATABASE_URL_FORMS, readDatabaseUrl } from "./database-url.ts";
import { JWT_SETTINGS, type JwtSettings, jwtFaults } from "./jwt-settings.ts";

/** Every limit of the server. Those of {@link StreamLimits} are told to clients in `hello`. */
export interface Limits extends StreamLimits {
  /** Requests a second for each token; 0 is no limit. */
  readonly rate_limit: number;
  /** How many requests of one token may come at once. */
  readonly rate_burst: number;
}

/** The documented limits. */
export const DEFAULT_LIMITS: Limits = {
  rate_limit: 50,
  rate_burst: 100,
  typing_rate: 5,
  typing_max_members: 5_000,
  awareness_max_members: 500,
  presence_max_ids: 200,
  body_max_bytes: 65_536,
  frame_max_bytes: 65_536,
  backlog_max_bytes: 1_048_576,
  frame_rate: 50,
  sockets_per_participant: 32,
  events_retained: 10_000,
};

/** What a server is started with. */
export interface Config extends JwtSettings {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly databaseUrl: string;
  /** Where several nodes meet; undefined for one alone. */
  readonly redisUrl: string | undefined;
  /** What every key and channel in Redis begins with. */
  readonly redisPrefix: string;
  /** How long a node may be silent before the others take it for gone. */
  readonly nodeLeaseMs: number;
  readonly adminToken: string | undefined;
  readonly adminRole: string;
  /** The host part of an `fqid`. */
  readonly serverName: string;
  readonly defaultTimezone: string;
  readonly manualWithoutDevice: PresenceRules["manual_without_device"];
  /** Origins that browsers may call from, or `*` for any. */
  readonly allowedOrigins: "*" | readonly string[];
  /** Whether anyone may read the metrics, or the admin token alone. */
  readonly metricsPublic: boolean;
  readonly timings: Timings;
  readonly limits: Limits;
}

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Any part of a configuration but where to listen, for somebody who hands it over in code. */
export type Settings = {
  readonly [K in Exclude<keyof Config, "host" | "port" | "timings" | "limits">]?: Config[K];
} & { readonly timings?: Partial<Timings>; readonly limits?: Partial<Limits> };

/** Reads one setting: its value, or what is wrong with what was written. */
type Reader<T> = (written: string) => { readonly value: T } | { readonly fault: string };

/** One variable: what it falls back to, and how it is read. */
export interface Setting<T> {
  readonly variable: string;
  /** What holds when the variable is absent or empty. */
  readonly fallback: string;
  readonly read: Reader<T>;
}

/** Everything that is configured besides the timings and limits, each of which is `PORCHLIGHT_` and its name in capitals. */
export const SETTINGS = {
  host: { variable: "PORCHLIGHT_HOST", fallback: "127.0.0.1", read: asWritten },
  port: { variable: "PORCHLIGHT_PORT", fallback: "8787", read: readPort },
  databaseUrl: {
    variable: "PORCHLIGHT_DATABASE_URL",
    fallback: "sqlite:./porchlight.db",
    read: (written) =>
      readDatabaseUrl(written) === undefined ? { fault: DATABASE_URL_FORMS } : { value: written },
  },
  redisUrl: { variable: "PORCHLIGHT_REDIS_URL", fallback: "", read: readRedisUrl },
  redisPrefix: { variable: "PORCHLIGHT_REDIS_PREFIX", fallback: "porchlight:", read: asWritten },
  nodeLeaseMs: { variable: "PORCHLIGHT_NODE_LEASE_MS", fallback: "4000", read: readLease },
  adminToken: {
    variable: "PORCHLIGHT_ADMIN_TOKEN",
    fallback: "",
    read: (written) => {
      if (written === "") return { value: undefined };
      return written.length < LEAST_ADMIN_TOKEN
        ? { fault: `must have at least ${LEAST_ADMIN_TOKEN} characters` }
        : { value: written };
    },
  },
  adminRole: { variable: "PORCHLIGHT_ADMIN_ROLE", fallback: "porchlight_admin", read: asWritten },
  ...JWT_SETTINGS,
  serverName: { variable: "PORCHLIGHT_SERVER_NAME", fallback: "localhost", read: asWritten },
  defaultTimezone: { variable: "PORCHLIGHT_DEFAULT_TIMEZONE", fallback: "UTC", read: readTimezone },
  manualWithoutDevice: {
    variable: "PORCHLIGHT_MANUAL_WITHOUT_DEVICE",
    fallback: "keep",
    read: (written) =>
      written === "keep" || written === "offline"
        ? { value: written }
        : { fault: `must be "keep" or "offline": received "${written}"` },
  },
  allowedOrigins: {
    variable: "PORCHLIGHT_ALLOWED_ORIGINS",
    fallback: "*",
    read: (written) => ({
      value: written === "*" ? written : written.split(",").map((origin) => origin.trim()),
    }),
  },
  metricsPublic: {
    variable: "PORCHLIGHT_METRICS_PUBLIC",
    fallback: "false",
    read: (written) =>
      written === "true" || written === "false"
        ? { value: written === "true" }
        : { fault: `must be "true" or "false": received "${written}"` },
  },
} satisfies { readonly [K in Exclude<keyof Config, "timings" | "limits">]: Setting<Config[K]> };

/** Settings for which 0 means "no limit". */
const MAY_BE_ZERO: readonly string[] = [
  "rate_limit",
  "typing_rate",
  "coalesce_ms",
  "disconnect_grace_ms",
  "restart_grace_ms",
];
const LEAST_ADMIN_TOKEN = 16;

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    super(faults.map(({ path, message }) => `${path} ${message}`).join("\n"));
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/**
 * Reads the configuration from environment variables.
 * @throws {ConfigError} with every fault, a misspelt variable among them.
 */
export function readConfig(env: Environment): Config {
  const faults: Fault[] = [];
  const read = <T>({ variable, fallback, read }: Setting<T>): T => {
    const result = read(env[variable] || fallback);
    if ("value" in result) return result.value;
    faults.push({ path: variable, message: result.fault });
    // Never seen: a configuration with a fault is not returned.
    return undefined as T;
  };
  const config: Config = {
    host: read<string>(SETTINGS.host),
    port: read<number>(SETTINGS.port),
    databaseUrl: read<string>(SETTINGS.databaseUrl),
    redisUrl: read<string | undefined>(SETTINGS.redisUrl),
    redisPrefix: read<string>(SETTINGS.redisPrefix),
    nodeLeaseMs: read<number>(SETTINGS.nodeLeaseMs),
    adminToken: read<string | undefined>(SETTINGS.adminToken),
    adminRole: read<string>(SETTINGS.adminRole),
    jwksUrl: read<string | undefined>(SETTINGS.jwksUrl),
    jwtSecret: read<string | undefined>(SETTINGS.jwtSecret),
    jwtIssuer: read<string | undefined>(SETTINGS.jwtIssuer),
    jwtAudience: read<string | undefined>(SETTINGS.jwtAudience),
    serverName: read<string>(SETTINGS.serverName),
    defaultTimezone: read<string>(SETTINGS.defaultTimezone),
    manualWithoutDevice: read<Config["manualWithoutDevice"]>(SETTINGS.manualWithoutDevice),
    allowedOrigins: read<Config["allowedOrigins"]>(SETTINGS.allowedOrigins),
    metricsPublic: read<boolean>(SETTINGS.metricsPublic),
    timings: readNumbers(env, DEFAULT_TIMINGS, faults),
    limits: readNumbers(env, DEFAULT_LIMITS, faults),
  };
  for (const { path, message } of timingFaults(config.timings))
    faults.push({ path: variableOf(path), message });
  faults.push(...jwtFaults(config), ...nodeFaults(config));
  for (const name of Object.keys(env)) {
    if (name.startsWith("PORCHLIGHT_") && !isKnown(name))
      faults.push({ path: name, message: "is not a known variable" });
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** Settings as the environment would hold them, so that they are checked as those are. What is undefined is left to it. */
export function settingsOf({ timings, limits, ...rest }: Settings): Environment {
  const variables = new Map<string, string>(
    Object.entries(SETTINGS).map(([name, { variable }]) => [name, variable]),
  );
  const given = Object.entries({ ...rest, ...timings, ...limits });
  const written = given.filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    written.map(([name, value]) => [variables.get(name) ?? variableOf(name), String(value)]),
  );
}

/** The environment variable of a timing or limit. */
export function variableOf(name: string): string {
  return `PORCHLIGHT_${name.toUpperCase()}`;
}

function readNumbers<T extends object>(env: Environment, defaults: T, faults: Fault[]): T {
  const values = Object.entries(defaults).map(([name, fallback]) => {
    const variable = variableOf(name);
    const written = env[variable];
    if (written === undefined || written === "") return [name, fallback];
    const value = Number(written);
    const least = MAY_BE_ZERO.includes(name) ? 0 : 1;
    if (!Number.isInteger(value) || value < least) {
      faults.push({
        path: variable,
        message: `must be a whole number of at least ${least}: received "${written}"`,
      });
      return [name, fallback];
    }
    return [name, value];
  });
  return Object.fromEntries(values);
}

function isKnown(name: string): boolean {
  const numbers = [...Object.keys(DEFAULT_TIMINGS), ...Object.keys(DEFAULT_LIMITS)].map(variableOf);
  const settings = Object.values(SETTINGS).map(({ variable }) => variable);
  // Those of the test suite are not the server's.
  return settings.includes(name) || numbers.includes(name) || name.startsWith("PORCHLIGHT_TEST_");
}

/** A crash is to be known within this time: a lease that runs out, and the grace after that. */
const CRASH_MAX_MS = 15_000;

/** What keeps several nodes from working together. */
function nodeFaults({ redisUrl, databaseUrl, nodeLeaseMs, timings }: Config): Fault[] {
  if (redisUrl === undefined) return [];
  const faults: Fault[] = [];
  if (databaseUrl?.startsWith("sqlite:"))
    faults.push({
      path: SETTINGS.redisUrl.variable,
      message: `needs a database that several nodes can share: ${SETTINGS.databaseUrl.variable} must begin with postgres://`,
    });
  if (nodeLeaseMs + timings.disconnect_grace_ms > CRASH_MAX_MS)
    faults.push({
      path: SETTINGS.nodeLeaseMs.variable,
      message: `must be at most ${CRASH_MAX_MS - timings.disconnect_grace_ms} together with a disconnect_grace_ms of ${timings.disconnect_grace_ms}: received ${nodeLeaseMs}`,
    });
  return faults;
}

function readRedisUrl(written: string): ReturnType<Reader<string | undefined>> {
  if (written === "") return { value: undefined };
  return /^rediss?:\/\/.+/.test(written) && URL.canParse(written)
    ? { value: written }
    : { fault: "must be redis://host:port, or rediss:// for TLS" };
}

function readLease(written: string): ReturnType<Reader<number>> {
  const value = Number(written);
  return Number.isInteger(value) && value >= 100
    ? { value }
    : { fault: `must be a whole number of at least 100: received "${written}"` };
}

function asWritten(written: string): { readonly value: string } {
  return { value: written };
}

function readPort(written: string): ReturnType<Reader<number>> {
  const port = Number(written);
  const fits = Number.isInteger(port) && port >= 0 && port <= 65_535;
  return fits ? { value: port } : { fault: `must be 0 to 65535: received "${written}"` };
}

function readTimezone(written: string): ReturnType<Reader<string>> {
  try {
    parseInput(PreferencesBody, { timezone: written });
    return { value: written };
  } catch {
    return { fault: `must be an IANA time zone such as Europe/Amsterdam: received "${written}"` };
  }
}
