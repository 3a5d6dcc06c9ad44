import type { ErrorCode, Schema } from "@porchlight/core";

/** What is to be said of an endpoint besides what it knows itself. */
export interface Entry {
  /** What it does, in one line; words of the API in backticks. The README says the same. */
  readonly does: string;
  /** More than one line. */
  readonly more?: string;
  /** The answer: `data` and `meta` of the API's JSON, lines of JSON, a text of a type, or a WebSocket. */
  readonly answers: Answers;
  /** The body, where the endpoint parses it by itself. */
  readonly body?: Schema<unknown>;
  /** Each line of the body, where that is lines of JSON. */
  readonly takes?: Schema<unknown>;
  /** The query, where the endpoint parses it by itself. */
  readonly query?: Schema<unknown>;
  /** Refusals besides those of every endpoint that takes the same. */
  readonly refuses?: readonly ErrorCode[];
}

export type Answers =
  | { readonly data: Schema<unknown>; readonly meta?: Schema<unknown> }
  | { readonly types: readonly string[]; readonly schema?: Readonly<Record<string, unknown>> }
  /** Lines of JSON, and each of them. */
  | { readonly lines: Schema<unknown> }
  | "upgrade";

/** Rooms are shown to those who have joined them. */
export const MEMBERS: readonly ErrorCode[] = ["SW_NOT_MEMBER"];
/** Things are done in rooms that are open, by those who may. */
export const ACTORS: readonly ErrorCode[] = [
  "SW_NOT_MEMBER",
  "SW_ROOM_FORBIDDEN",
  "SW_ROOM_FROZEN",
];
/** An administrator names a tenant, or is asked which one is meant. */
export const IN_TENANT: readonly ErrorCode[] = ["SW_VALIDATION", "SW_TENANT_NOT_FOUND"];

export const data = (schema: Schema<unknown>, meta?: Schema<unknown>): Answers =>
  meta === undefined ? { data: schema } : { data: schema, meta };
