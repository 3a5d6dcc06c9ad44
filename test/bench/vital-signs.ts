import { readdirSync, readFileSync } from "node:fs";

/** How much time of a processor a process has taken so far with all of its threads, in microseconds, and in finer steps than ticks. */
export function fineCpuMicrosOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.reduce((sum, task) => sum + nanosOf(pid, task) / 1_000, 0);
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Threads come and go: one that has gone meanwhile is not counted. */
function nanosOf(pid: number, task: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}
