/** A process of its own: Hocuspocus as it comes, which says where it listens. */
import { Server } from "@hocuspocus/server";

const server = new Server({ port: 0, address: "127.0.0.1", quiet: true });
await server.listen();
console.log(`listening at ${server.httpURL}`);
