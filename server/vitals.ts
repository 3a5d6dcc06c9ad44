import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Registry } from "prom-client";

/** How often the event loop is looked at. */
const RESOLUTION_MS = 50;
const NS_PER_S = 1e9;
const US_PER_S = 1e6;

/** How the process is: memory, processor time, and how late its event loop runs. */
export class Vitals {
  readonly #lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  /** Makes metrics of it, in a registry of the library. */
  expose({ Counter, Gauge }: typeof import("prom-client"), registry: Registry): void {
    const registers = [registry];
    const lag = this.#lag;
    new Gauge({
      name: "porchlight_event_loop_lag_seconds",
      help: "How late the event loop was since this was last asked for: at most, and 99 times in 100.",
      labelNames: ["quantile"],
      registers,
      collect() {
        // Before the first look there is nothing to tell.
        const isKnown = lag.count > 0;
        this.set({ quantile: "0.99" }, isKnown ? lag.percentile(99) / NS_PER_S : 0);
        this.set({ quantile: "1" }, isKnown ? lag.max / NS_PER_S : 0);
        lag.reset();
      },
    });
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "Memory of the process.",
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
    new Gauge({
      name: "process_heap_used_bytes",
      help: "What of it holds values.",
      registers,
      collect() {
        this.set(process.memoryUsage().heapUsed);
      },
    });
    new Counter({
      name: "process_cpu_seconds_total",
      help: "Processor time of the process.",
      registers,
      collect() {
        const { user, system } = process.cpuUsage();
        this.reset();
        this.inc((user + system) / US_PER_S);
      },
    });
  }

  /** Begins to look at the event loop. */
  start(): void {
    this.#lag.enable();
  }

  /** Stops looking. */
  stop(): void {
    this.#lag.disable();
  }
}
