import { writeSync } from "node:fs";
import { Client } from "./client.ts";

/** A process of its own, to be stopped and let go on: somebody who enters by the door of its first argument (JSON) and stays. */
const { id } = new Client(JSON.parse(process.argv[2] ?? "{}"));
writeSync(1, `${JSON.stringify({ pid: process.pid, id })}\n`);
