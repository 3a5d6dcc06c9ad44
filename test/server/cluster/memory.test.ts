import { MemoryFacts, openMemory } from "@porchlight/server/cluster";
import { clusterConformance } from "../../conformance/cluster.ts";

clusterConformance("memory", async () => {
  let now = 0;
  const facts = new MemoryFacts({ now: () => now });
  return {
    open: (node, deliver) => openMemory(facts, { node, deliver }),
    pass: async (ms) => {
      now += ms;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
});
