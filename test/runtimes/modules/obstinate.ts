/** A module that does what it is told: answers, throws, or never comes to an end. */
export async function run(order: { answer?: unknown; fetch?: string; end?: "throw" | "never" }) {
  if (order.end === "throw") throw new RangeError("The module does not want to");
  while (order.end === "never");
  return order.fetch === undefined ? order.answer : (await fetch(order.fetch)).text();
}
