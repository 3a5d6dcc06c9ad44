import { FILES } from "./files.ts";
import { type Played, play } from "./play.ts";

/** Plays every vector: what each runtime is asked to do. */
export async function run(): Promise<Played> {
  return play(FILES);
}
