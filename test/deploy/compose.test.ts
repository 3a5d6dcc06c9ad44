import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readConfig } from "@porchlight/server";
import { YAML } from "bun";

const ROOT = resolve(import.meta.dir, "../..");
/** What the environment of whoever starts it has to name. */
const GIVEN = {
  PORCHLIGHT_ADMIN_TOKEN: "a-long-random-secret",
  POSTGRES_PASSWORD: "letters4and9digits",
};
/** How long a server may take to stop in order. */
const STOPS_WITHIN_S = 10;

interface Service {
  readonly build?: string;
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: object;
  readonly stop_grace_period?: string;
}

const { services, volumes } = YAML.parse(readFileSync(join(ROOT, "compose.yaml"), "utf8")) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const nodes = Object.entries(services).filter(([name]) => name.startsWith("node-"));

/** What Compose makes of a text with variables in it. */
function filledIn(text: string): string {
  return text.replaceAll(/\$\{(\w+):\?[^}]*\}/g, (_, name: keyof typeof GIVEN) => GIVEN[name]);
}

describe("compose.yaml", () => {
  test("has three nodes, all alike, that the server can be started with", () => {
    expect(nodes.map(([name]) => name)).toEqual(["node-1", "node-2", "node-3"]);
    for (const [, node] of nodes) expect(node).toEqual(services["node-1"] as Service);
    const environment = Object.entries(services["node-1"]?.environment ?? {});
    const config = readConfig(
      Object.fromEntries(environment.map(([name, text]) => [name, filledIn(text)])),
    );
    expect(config).toMatchObject({
      adminToken: GIVEN.PORCHLIGHT_ADMIN_TOKEN,
      databaseUrl: `postgres://porchlight:${GIVEN.POSTGRES_PASSWORD}@postgres:5432/porchlight`,
      redisUrl: "redis://redis:6379",
    });
  });

  test("asks for each secret by name, and has none in it", () => {
    const asked = [...readFileSync(join(ROOT, "compose.yaml"), "utf8").matchAll(/\$\{(\w+):\?/g)];
    expect(new Set(asked.map(([, name]) => name))).toEqual(new Set(Object.keys(GIVEN)));
  });

  test("names services, volumes and files that there are", () => {
    for (const { volumes: mounted = [], depends_on = [] } of Object.values(services)) {
      const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
      for (const name of needed) expect(services[name]).toBeDefined();
      for (const [from = ""] of mounted.map((each) => each.split(":")))
        expect(from.startsWith(".") ? existsSync(join(ROOT, from)) : from in volumes).toBe(true);
    }
  });

  test("starts nodes once what they share is healthy, and lets them stop in order", () => {
    for (const [, { depends_on = {}, stop_grace_period = "" }] of nodes) {
      for (const [name, { condition }] of Object.entries(
        depends_on as Record<string, { condition: string }>,
      )) {
        expect(condition).toBe("service_healthy");
        expect(services[name]?.healthcheck).toBeDefined();
      }
      expect(Number.parseInt(stop_grace_period, 10)).toBeGreaterThan(STOPS_WITHIN_S);
    }
  });

  test("has nginx before exactly its nodes", () => {
    const site = readFileSync(join(ROOT, "deploy/nginx-nodes.conf"), "utf8");
    const servers = [...site.matchAll(/^ {2}server (\S+):8787 /gm)].map(([, name]) => name);
    expect(servers).toEqual(nodes.map(([name]) => name));
  });
});
