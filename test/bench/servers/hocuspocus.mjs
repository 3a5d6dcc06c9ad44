/** Hocuspocus as it comes, on Node.js, with the settings in JSON that are its argument. */
import { Server } from "@hocuspocus/server";

const settings = JSON.parse(process.argv[2] ?? "{}");
const server = new Server({ port: 0, address: "127.0.0.1", quiet: true, ...settings });
await server.listen();
console.log(`listening at ${server.httpURL}`);
