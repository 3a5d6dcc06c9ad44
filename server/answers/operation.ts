import * as z from "zod/mini";

/** The process lives. */
export const Alive = z.strictObject({ status: z.literal("ok") });

/** The process can do its work. */
export const Ready = z.strictObject({
  status: z.literal("ready"),
  store: z.literal("ok"),
  cluster: z.enum(["alone", "joined", "away"]),
});
