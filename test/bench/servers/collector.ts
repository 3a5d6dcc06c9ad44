/** Loaded before a server of which the memory is measured, which stays as it is: whoever asks has it collect twice. */
Bun.serve({
  unix: process.env.BENCH_COLLECTOR ?? "",
  fetch() {
    Bun.gc(true);
    Bun.gc(true);
    return new Response();
  },
});
