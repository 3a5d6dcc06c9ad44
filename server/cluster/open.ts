export type * from "./cluster.ts";
export { MemoryFacts, openMemory } from "./memory.ts";
export type { ClusterMessage } from "./message.ts";
export { inspectRedis, openRedis, type RedisOptions } from "./redis.ts";
