/** Socket.IO as it comes, on the runtime that starts this: whoever types is told to the others in the room. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"] });
io.on("connection", (socket) => {
  const { tenant_id, room_id, participant_id } = socket.handshake.auth;
  socket.join(room_id);
  socket.on("typing", ({ room_id, typing }) => {
    const ts = new Date().toISOString();
    const frame = { type: "typing", tenant_id, room_id, participant_id, typing, ts };
    socket.to(room_id).emit("typing", frame);
  });
});
http.listen(0, "127.0.0.1", () => {
  console.log(`listening at http://127.0.0.1:${(http.address() as AddressInfo).port}`);
});
