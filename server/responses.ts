import { ERROR_STATUS, type ErrorCode, type JsonObject } from "@porchlight/core";
import { type About, NAMED } from "./endpoint.ts";
import { noSuch } from "./refusals.ts";

/** When a request is refused with each code. */
const WHEN: Readonly<Record<ErrorCode, string>> = {
  SW_VALIDATION: "the body, the query or a parameter is wrong; `details` names every fault",
  SW_AUTH_INVALID_TOKEN: "the token is missing, unknown, revoked or badly signed",
  SW_AUTH_EXPIRED_TOKEN: "the token has expired",
  SW_AUTH_INSUFFICIENT_PERMISSION: "the token is of another kind, or the caller's power too low",
  SW_ORIGIN_FORBIDDEN: "the `Origin` is not allowed",
  SW_NOT_MEMBER: "there is such a room, and the participant has not joined it",
  SW_ROOM_FORBIDDEN: "the room does not let this member do this",
  SW_NOT_FOUND: "there is no such thing in the tenant",
  SW_ROOM_NOT_FOUND: "there is no such room in the tenant",
  SW_EVENT_NOT_FOUND: "there is no such event in the tenant",
  SW_TENANT_NOT_FOUND: "there is no such tenant, or it is not yours",
  SW_METHOD_NOT_ALLOWED: "the endpoint does not take the method; `Allow` says which it takes",
  SW_ROOM_FROZEN: "the room is archived or closed",
  SW_CONTENT_TOO_LARGE: "the body is too large",
  SW_UNSUPPORTED_MEDIA_TYPE: "the body is not JSON",
  SW_RATE_LIMIT_EXCEEDED:
    "too many requests with this token; `Retry-After` says when there is room",
  SW_INTERNAL: "something went wrong on the server; it is logged under `x-request-id`",
  SW_UNAVAILABLE:
    "the store is out of reach, or the server is stopping; try again after `Retry-After`",
};

/** Every endpoint may be refused with these. */
const ALWAYS: readonly ErrorCode[] = ["SW_ORIGIN_FORBIDDEN", "SW_INTERNAL", "SW_UNAVAILABLE"];
const WITH_TOKEN: readonly ErrorCode[] = [
  "SW_AUTH_INVALID_TOKEN",
  "SW_AUTH_EXPIRED_TOKEN",
  "SW_AUTH_INSUFFICIENT_PERMISSION",
  "SW_RATE_LIMIT_EXCEEDED",
];
const WITH_BODY: readonly ErrorCode[] = [
  "SW_VALIDATION",
  "SW_CONTENT_TOO_LARGE",
  "SW_UNSUPPORTED_MEDIA_TYPE",
];

const RETRY: readonly number[] = [429, 503];

/** The codes with which an endpoint may refuse, in the order of the table. @param more those that only it has. */
export function codesOf(
  { who, input }: About,
  path: string,
  more: readonly ErrorCode[],
): ErrorCode[] {
  const params = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name);
  const codes = new Set<string>([
    ...ALWAYS,
    ...(who === "anyone" ? [] : WITH_TOKEN),
    ...(input.body === undefined ? [] : WITH_BODY),
    ...(input.query === undefined ? [] : ["SW_VALIDATION"]),
    ...params.map((name = "") => noSuch(NAMED[name] ?? "thing").code),
    ...more,
  ]);
  return CODES.filter((code) => codes.has(code));
}

const CODES = Object.keys(ERROR_STATUS) as ErrorCode[];

/** The responses of refusals with these codes, by status. */
export function refusalsOf(codes: readonly ErrorCode[]): JsonObject {
  const byStatus = Map.groupBy(codes, (code) => ERROR_STATUS[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [String(status), refusalOf(status, of)]),
  );
}

function refusalOf(status: number, codes: readonly ErrorCode[]): JsonObject {
  const retry = RETRY.includes(status)
    ? { "retry-after": { $ref: "#/components/headers/retry-after" } }
    : {};
  const code = { type: "object", properties: { error: { properties: { code: { enum: codes } } } } };
  return {
    description: codes.map((each) => `\`${each}\`: ${WHEN[each]}`).join("\n\n"),
    headers: { ...HEADERS, ...retry },
    content: {
      "application/json": { schema: { allOf: [{ $ref: "#/components/schemas/Refusal" }, code] } },
    },
  };
}

/** The headers of every response. */
export const HEADERS: JsonObject = {
  "x-request-id": { $ref: "#/components/headers/x-request-id" },
};

/** What responses refer to. */
export const COMPONENTS = {
  headers: {
    "x-request-id": {
      description: "names the request in the log of the server",
      required: true,
      schema: { type: "string", format: "uuid" },
    },
    etag: {
      description: "digests the answer; sent back as `If-None-Match` it saves sending it again",
      required: true,
      schema: { type: "string", pattern: '^"[0-9a-z]+"$' },
    },
    "retry-after": {
      description: "whole seconds after which to try again",
      required: true,
      schema: { type: "integer", minimum: 1 },
    },
  },
  schemas: {
    Refusal: {
      description:
        "Match on `code`, never on `message`. `SW_VALIDATION` has `details`, others have none.",
      type: "object",
      required: ["error"],
      additionalProperties: false,
      properties: {
        error: {
          type: "object",
          required: ["code", "message"],
          additionalProperties: false,
          properties: {
            code: { enum: CODES },
            message: { type: "string", minLength: 1 },
            details: { type: "array", minItems: 1, items: { $ref: "#/components/schemas/Fault" } },
          },
          if: { properties: { code: { const: "SW_VALIDATION" } } },
          // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word
          then: { required: ["details"] },
          else: { properties: { details: false } },
        },
      },
    },
  },
} as const;
