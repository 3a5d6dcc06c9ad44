import { randomUUID } from "node:crypto";
import { isId } from "@porchlight/core";
import type { KeptFile } from "./kept-file.ts";

/** The name of this installation, made the first time that it is asked for. */
export function deviceId(file: KeptFile): string {
  const kept = file.read();
  if (typeof kept === "string" && isId(kept)) return kept;
  const made = `desktop-${randomUUID()}`;
  file.write(made);
  return made;
}
