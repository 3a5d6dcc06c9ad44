/**
 * Preloaded into a process, writes down at its end how many bytes of memory it
 * took at most, into the file that `PORCHLIGHT_TEST_PEAK` names. What the
 * system says of a child that has ended counts its parent's memory too.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const STATUS = "/proc/self/status";

process.on("exit", () => {
  const said = existsSync(STATUS) ? readFileSync(STATUS, "utf8") : "";
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(said)?.[1];
  const bytes =
    kilobytes === undefined ? process.resourceUsage().maxRSS : 1_024 * Number(kilobytes);
  writeFileSync(process.env.PORCHLIGHT_TEST_PEAK ?? "", String(bytes));
});
