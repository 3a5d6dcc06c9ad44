import type { JsonObject, Schema } from "@porchlight/core";
import * as z from "zod/mini";
import { FaultAnswer } from "./answers/people.ts";
import type { Config } from "./config.ts";
import type { About } from "./endpoint.ts";
import type { Answers, Entry } from "./reference/entry.ts";
import { REFERENCE } from "./reference.ts";
import { COMPONENTS, codesOf, HEADERS, refusalsOf } from "./responses.ts";

/** An endpoint as the app lists it. */
export interface Route {
  readonly method: string;
  readonly path: string;
  /** Knows `about` itself, where it was made by one of `endpoint.ts`. */
  readonly handler: unknown;
}

type Json = Record<string, unknown>;

const INTRODUCTION = `Presence, typing, room state, profiles and preferences.

Success is \`{"data", "meta"?}\`, failure \`{"error": {"code", "message", "details"?}}\`. Times are ISO 8601 in UTC with
milliseconds, ids 1 to 128 of \`A-Z a-z 0-9 . _ : @ -\`. Bodies are JSON; one without a content type, or with the one that
\`curl -d\` sends, is taken as JSON too.

\`HEAD\` answers wherever \`GET\` does, with the same headers and no body. \`OPTIONS\` answers everywhere with 204, \`Allow\`,
and what browsers ask before they call from another origin. A method that an endpoint does not take is
\`SW_METHOD_NOT_ALLOWED\` (405), a path that is none \`SW_NOT_FOUND\` (404).`;

/**
 * The reference of these routes as OpenAPI 3.1: from what they check input
 * with, and from the table of what they answer.
 * @throws {TypeError} for a route that the table does not have.
 */
export function openApi(routes: readonly Route[], config: Config): JsonObject {
  const schemas = new Schemas();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    const operations = paths[path] ?? {};
    operations[route.method.toLowerCase()] = operation(route, config, schemas);
    paths[path] = operations;
  }
  schemas.of(FaultAnswer, "output");
  return {
    openapi: "3.1.0",
    info: { title: "Porchlight", version: "1", description: INTRODUCTION },
    servers: [{ url: ".", description: "where this reference is" }],
    paths,
    components: {
      headers: COMPONENTS.headers,
      schemas: { ...schemas.named, ...COMPONENTS.schemas },
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    },
  };
}

function operation({ method, path, handler }: Route, config: Config, schemas: Schemas): Json {
  const entry = REFERENCE[`${method} ${path}`];
  if (entry === undefined)
    throw new TypeError(`Cannot describe ${method} ${path} as reference.ts has no entry for it`);
  const about = withEntry(aboutOf(handler), entry);
  return {
    operationId: operationId(method, path),
    tags: [tagOf(path)],
    summary: entry.does.replaceAll("`", ""),
    ...(entry.more === undefined ? {} : { description: entry.more }),
    security: about.who === "anyone" && entry.answers !== "upgrade" ? [] : [{ bearer: [] }],
    parameters: [...pathParameters(path), ...queryParameters(about, schemas)],
    ...requestBody(about, entry, config, schemas),
    responses: {
      ...successes(method, entry.answers, schemas),
      ...refusalsOf(codesOf(about, path, entry.refuses ?? [])),
    },
  };
}

function aboutOf(handler: unknown): About {
  const isAbout = typeof handler === "function" && "about" in handler;
  return isAbout ? (handler.about as About) : { who: "anyone", input: {} };
}

/** The table has the last word on what an endpoint parses by itself. */
function withEntry({ who, input }: About, { body, query }: Entry): About {
  return {
    who,
    input: {
      ...input,
      ...(body === undefined ? {} : { body }),
      ...(query === undefined ? {} : { query }),
    },
  };
}

function operationId(method: string, path: string): string {
  const words = path.split(/\W+/).filter((word) => word !== "" && word !== "v1");
  return [method.toLowerCase(), ...words].join("_");
}

function tagOf(path: string): string {
  const [, version, area = "server"] = path.split("/");
  return version === "v1" ? area : "server";
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1, maxLength: 128 },
  }));
}

function queryParameters({ input }: About, schemas: Schemas): Json[] {
  if (input.query === undefined) return [];
  const { properties = {}, required = [] } = schemas.of(input.query, "input") as {
    properties?: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(schema.type === "array" ? { style: "form", explode: false } : {}),
    schema: asNumber(schema),
  }));
}

/** In an address, a number and its default are texts; what they mean is a number. */
function asNumber(schema: Json): Json {
  if (schema.type !== "integer" || schema.default === undefined) return schema;
  return { ...schema, default: Number(schema.default) };
}

function requestBody(
  { input }: About,
  { takes }: Entry,
  { limits }: Config,
  schemas: Schemas,
): Json {
  if (takes !== undefined) return { requestBody: { content: linesOf(takes, schemas, "input") } };
  if (input.body === undefined) return {};
  const most = input.bodyMaxBytes ?? limits.body_max_bytes;
  const content = { "application/json": { schema: schemas.of(input.body, "input") } };
  return { requestBody: { description: `at most ${most} bytes`, required: true, content } };
}

function successes(method: string, answers: Answers, schemas: Schemas): Json {
  if (answers === "upgrade")
    return { "101": { description: "The connection is a WebSocket from here on." } };
  // Lines are sent as they are made: nothing digests them.
  const cached = method === "GET" && !("lines" in answers);
  const headers = cached ? { ...HEADERS, etag: { $ref: "#/components/headers/etag" } } : HEADERS;
  const notModified = { description: "What `If-None-Match` names is what there is.", headers };
  return {
    "200": { description: "Success", headers, content: contentOf(answers, schemas) },
    ...(cached ? { "304": notModified } : {}),
  };
}

function contentOf(answers: Exclude<Answers, "upgrade">, schemas: Schemas): Json {
  if ("types" in answers) {
    const schema = answers.schema ?? { type: "string" };
    return Object.fromEntries(answers.types.map((type) => [type, { schema }]));
  }
  if ("lines" in answers) return linesOf(answers.lines, schemas, "output");
  const meta = answers.meta === undefined ? {} : { meta: schemas.of(answers.meta, "output") };
  const schema = {
    type: "object",
    properties: { data: schemas.of(answers.data, "output"), ...meta },
    required: ["data"],
    additionalProperties: false,
  };
  return { "application/json": { schema } };
}

/** JSON Schema knows no lines: they are described as a list, in which each line is an item. */
function linesOf(line: Schema<unknown>, schemas: Schemas, io: "input" | "output"): Json {
  const description = "a line of JSON for each item, with no brackets around them";
  const schema = { type: "array", description, items: schemas.of(line, io) };
  return { "application/x-ndjson": { schema } };
}

/** Schemas of zod as JSON Schema; those with a name are kept apart and referred to. */
class Schemas {
  readonly named: Record<string, unknown> = {};

  of(schema: Schema<unknown>, io: "input" | "output"): Json {
    const {
      $schema: _,
      $defs = {},
      ...rest
    } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
    for (const [name, named] of Object.entries($defs)) this.named[name] = referring(named);
    return referring(rest) as Json;
  }
}

/** The same with references to where an OpenAPI document has its schemas, and without ids of their own. */
function referring(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referring);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(
    ([key]) => key !== "id" || typeof Reflect.get(value, key) !== "string",
  );
  return Object.fromEntries(
    entries.map(([key, each]) =>
      key === "$ref"
        ? [key, String(each).replace("#/$defs/", "#/components/schemas/")]
        : [key, referring(each)],
    ),
  );
}
