import { writeSync } from "node:fs";
import { openStore } from "@porchlight/server/store";

/**
 * A process of its own: for each file named on its standard input it opens a
 * store, sends messages to the room `lobby` of `acme`, and says what each came
 * to: `<file> answered <position> <id>`, or `<file> refused <code>`. Without
 * a number of messages as its argument it goes on until it is killed or refused.
 */
const IN_FLIGHT = 8;
const messages = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);

say("ready");
for await (const file of console) await write(file);

async function write(file: string): Promise<void> {
  const refuse = (error: unknown): void =>
    say(`${file} refused ${error instanceof Error && "code" in error ? error.code : error}`);
  try {
    const store = await openStore({
      url: `sqlite:${file}`,
      announce: () => undefined,
      newId: () => crypto.randomUUID(),
      server_name: "localhost",
    });
    const acme = { tenant_id: "acme" };
    await store.putTenant("acme", {});
    await store.putParticipant({ ...acme, participant_id: "ann" }, {}, Date.now());
    const lobby = { ...acme, room_id: "lobby" };
    await store.putRoom(lobby, {}, Date.now());
    await store.putMember({ ...lobby, participant_id: "ann" }, { membership: "join" }, Date.now());
    let left = messages;
    const send = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const event = { sender_id: "ann", content: { body: "x".repeat(200) } };
        const { stream_position, id } = await store.appendEvent(lobby, event, Date.now());
        say(`${file} answered ${stream_position} ${id}`);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, send)).catch(refuse);
    await store.close();
  } catch (error) {
    refuse(error);
  }
  say(`${file} done`);
}

/** At once: nothing waits in a buffer when the process is killed. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
