import Ajv2020, { type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/** An answer as it is held against the reference; one without a body has none. */
interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly headers?: Readonly<Record<string, { readonly $ref: string }>>;
        readonly content?: Readonly<Record<string, unknown>>;
      }
    >
  >;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Refusals of whatever is no endpoint. */
const UNROUTED: readonly number[] = [403, 404, 405, 429, 500, 503];
const ROOT = "reference";

/** `GET /openapi.json` of a server, against which answers are held. */
export class Reference {
  readonly document: OpenApi;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
  readonly #routes: { method: string; path: string; pattern: RegExp }[];
  readonly #compiled = new Map<string, ValidateFunction>();
  /** Endpoints that have answered with success, such as `GET /v1/me`. */
  readonly seen = new Set<string>();

  constructor(document: OpenApi) {
    this.document = document;
    addFormats.default(this.#ajv);
    this.#ajv.addSchema({ $id: ROOT, ...document });
    this.#routes = Object.entries(document.paths).flatMap(([path, operations]) => {
      const pattern = new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}/?$`);
      return Object.keys(operations).map((method) => ({ method, path, pattern }));
    });
    // What is named stands before what is any: /v1/rooms/dm before /v1/rooms/{room_id}.
    this.#routes.sort((a, b) => parametersOf(a.path) - parametersOf(b.path));
  }

  /** @throws {Error} for an answer that is not as documented, with what is wrong. */
  check(method: string, target: string, answered: Answered): void {
    const faults = this.#faults(method, target, answered);
    if (faults.length === 0) return;
    // The runtime resolves some of the dots in a path, and leaves others.
    const { pathname } = new URL(`http://localhost${target}`);
    if (pathname !== target.split("?")[0] && this.#faults(method, pathname, answered).length === 0)
      return;
    throw new Error(
      `${method} ${target} answered ${answered.status}, which is not as documented:\n${faults.join("\n")}\n${JSON.stringify(answered.body)?.slice(0, 2_000)}`,
    );
  }

  /** @throws {Error} for a body that was taken although it is not as documented. */
  checkBody(method: string, target: string, text: string): void {
    const route = this.#routeOf(method, target);
    if (route === undefined) return;
    const operation = this.document.paths[route.path]?.[route.method];
    // Of lines, those that are refused are taken too, and reported.
    if (operation?.requestBody?.content["application/json"] === undefined) return;
    const at = ["paths", route.path, route.method, "requestBody", "content"];
    const faults = this.#schemaFaults([...at, "application/json", "schema"], JSON.parse(text));
    if (faults.length === 0) return;
    throw new Error(
      `${method} ${target} takes what is not documented:\n${faults.join("\n")}\n${text}`,
    );
  }

  #faults(method: string, target: string, { status, headers, body }: Answered): string[] {
    const faults = headers.get("x-request-id") === null ? ["x-request-id is missing"] : [];
    const route = this.#routeOf(method, target);
    if (method === "OPTIONS" && status === 204) return faults;
    if (route === undefined || saysUnrouted(body))
      return [...faults, ...this.#unrouted(status, body)];
    const operation = this.document.paths[route.path]?.[route.method];
    const response = operation?.responses[String(status)];
    if (response === undefined) return [...faults, ...this.#undocumented(method, status, body)];
    if (status < 300) this.seen.add(`${route.method.toUpperCase()} ${route.path}`);
    const missing = Object.keys(response.headers ?? {}).filter((name) => !headers.has(name));
    faults.push(...missing.map((name) => `the header ${name} is missing`));
    if (method === "HEAD" || status === 304)
      return body === undefined ? faults : [...faults, "there is a body"];
    const type = headers.get("content-type")?.split(";")[0] ?? "";
    if (response.content?.[type] === undefined)
      return [...faults, `the content type ${type} is not documented`];
    const at = ["paths", route.path, route.method, "responses", String(status), "content", type];
    return [...faults, ...this.#schemaFaults([...at, "schema"], body)];
  }

  /** Without a body, nothing says of a path with a slash at its end that it is none. */
  #undocumented(method: string, status: number, body: unknown): string[] {
    if (method === "HEAD") return this.#unrouted(status, body);
    return [`the status ${status} is not documented`];
  }

  #unrouted(status: number, body: unknown): string[] {
    if (!UNROUTED.includes(status)) return [`the status ${status} is not documented`];
    if (body === undefined) return [];
    return this.#schemaFaults(["components", "schemas", "Refusal"], body);
  }

  #schemaFaults(at: readonly string[], body: unknown): string[] {
    const pointer = at.map((key) => encodeURIComponent(key.replaceAll("/", "~1"))).join("/");
    const validate =
      this.#compiled.get(pointer) ?? this.#ajv.compile({ $ref: `${ROOT}#/${pointer}` });
    this.#compiled.set(pointer, validate);
    if (validate(body)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }

  #routeOf(method: string, target: string): { method: string; path: string } | undefined {
    const [path = ""] = target.split("?");
    const wanted = method === "HEAD" ? "get" : method.toLowerCase();
    return this.#routes.find((route) => route.method === wanted && route.pattern.test(path));
  }
}

/** Odd segments, such as dots, make of a path one that is none. */
function saysUnrouted(body: unknown): boolean {
  return JSON.stringify(body)?.includes("There is no such endpoint") === true;
}

function parametersOf(path: string): number {
  return path.split("{").length;
}

let known: Promise<Reference> | undefined;

/** The reference of the first server that was asked; those of others say the same of answers. */
export function referenceOf(url: string): Promise<Reference> {
  known ??= fetch(`${url}/openapi.json`).then(
    async (response) => new Reference((await response.json()) as OpenApi),
  );
  return known;
}
