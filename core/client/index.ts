/**
 * What an app needs to live with a Porchlight server, in a browser, a worker,
 * Bun, Deno or Node. It takes the web-standard `fetch`, `WebSocket` and timers
 * of the runtime, all of which can be replaced, and knows no framework.
 *
 * - **{@link Client}** is the whole: open it, follow rooms, read, listen.
 * - **{@link Rest}** are the requests alone, with typed results.
 * - **{@link Connection}** is the event stream alone, kept open.
 * - **{@link Replica}** is what the server has told, and what of it is stale.
 * - **{@link Outbox}** is what the user has set and the server does not know.
 *
 * @module
 */

export { ActivityTracker } from "./activity.ts";
export { Client, type ClientEvent, type ClientOptions } from "./client.ts";
export {
  type Closing,
  Connection,
  type ConnectionOptions,
  type ConnectionState,
} from "./connection.ts";
export {
  type Delivery,
  Outbox,
  type OutboxRecord,
  type OutboxStorage,
  type QueuedChoice,
  type QueuedEdit,
} from "./outbox.ts";
export { type Asked, type Known, type KnownRoom, Replica } from "./replica.ts";
export {
  type Choice,
  type ChoiceAnswer,
  type EditsAnswer,
  type MyPresence,
  Rest,
  type TokenSource,
  type TypingAnswer,
} from "./rest.ts";
export { type FetchAnswer, type Runtime, type Socket, webRuntime } from "./runtime.ts";
export { TypingField } from "./typing-field.ts";
