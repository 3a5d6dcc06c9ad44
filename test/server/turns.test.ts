import { expect, test } from "bun:test";
import { Turns } from "../../server/turns.ts";

test("those who wait go on so many in each turn, in the order in which they came, and others in between", async () => {
  const turns = new Turns(2);
  const log: (string | number)[] = [];
  for (let each = 0; each < 5; each += 1) void turns.next().then(() => log.push(each));
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    log.push("others");
  }
  expect(log).toEqual([0, 1, "others", 2, 3, "others", 4, "others"]);
  await turns.next();
});
