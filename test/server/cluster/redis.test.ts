import { openRedis } from "@porchlight/server/cluster";
import { clusterConformance } from "../../conformance/cluster.ts";
import { RedisServer } from "../../support/redis.ts";

clusterConformance("Redis", async () => {
  const server = await RedisServer.shared();
  const prefix = server.prefix();
  return {
    open: (node, deliver) =>
      openRedis({ url: server.url, prefix, node, deliver, failed: () => undefined }),
    pass: (ms) => server.pass(ms),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
