import { writeSync } from "node:fs";
import { WebsocketProvider } from "y-websocket";
import { Doc } from "yjs";

/**
 * A process of its own: the published client of y-websocket in the room and
 * with the token of its arguments. It says a line for each connection, and for
 * each that comes and goes in its eyes.
 */
const [url = "", room = "", token = ""] = process.argv.slice(2);
const provider = new WebsocketProvider(`${url.replace("http", "ws")}/v1/yjs`, room, new Doc(), {
  params: { token, device_id: "laptop" },
  disableBc: true,
});
const { awareness } = provider;
say({ pid: process.pid, id: awareness.clientID });
provider.on("status", ({ status }) => {
  if (status !== "connecting") say({ status });
});
awareness.on("change", ({ added, removed }: Record<"added" | "removed", number[]>) => {
  if (added.length + removed.length > 0) say({ added, removed });
});

function say(what: object): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
