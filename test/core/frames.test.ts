import { describe, expect, test } from "bun:test";
import { type CloseReason, presenceFrame, STREAM_CLOSE } from "@porchlight/core";

describe("presenceFrame", () => {
  test("says the state twice, under both names", () => {
    expect(presenceFrame("acme", "ann", "busy", "2026-01-31T12:00:00.000Z")).toEqual({
      type: "presence",
      tenant_id: "acme",
      participant_id: "ann",
      status: "busy",
      state: "busy",
      ts: "2026-01-31T12:00:00.000Z",
    });
  });
});

describe("STREAM_CLOSE", () => {
  const reasons: [string, CloseReason][] = Object.entries(STREAM_CLOSE);

  test("is the documented table of codes and reasons", () => {
    expect(reasons.map(([, { code, reason }]) => `${code} ${reason}`)).toEqual([
      "1000 bye",
      "1009 frame_too_large",
      "1012 restart",
      "4001 token_invalid",
      "4001 token_expired",
      "4001 token_revoked",
      "4003 ping_timeout",
      "4003 duplicate_connection",
      "4003 signed_off",
      "4003 too_many_devices",
      "4008 slow_consumer",
      "4029 too_many_frames",
    ]);
  });

  test("a client comes back after a restart, a lost ping, a full backlog and too many frames, and else not", () => {
    const comesBack = reasons.filter(([, { reconnect }]) => reconnect).map(([name]) => name);
    expect(comesBack).toEqual(["restart", "ping_timeout", "slow_consumer", "too_many_frames"]);
  });
});
