import { describe, expect, test } from "bun:test";
import { Raw, upgradeOf } from "../support/raw.ts";
import { Siege } from "../support/siege.ts";

/** A request that is none, and what comes of it: the status, or that the connection ends without one. */
type Malformed = readonly [name: string, text: string, answer: number | "ends"];

const GET = "GET /healthz HTTP/1.1\r\nHost: x\r\n";

/** Everything that a proper client would not send, for whoever has this token. */
function malformed(token: string): readonly Malformed[] {
  const put = `PUT /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`;
  const chunked = `${put}Transfer-Encoding: chunked\r\n\r\n`;
  const stream = upgradeOf(`/v1/stream?token=${token}`);
  const halfKey = stream.replace("dGhlIHNhbXBsZSBub25jZQ==", "x");
  return [
    ["bytes that are no HTTP", "\x00\x01\x02\x03\r\n\r\n", 400],
    ["the beginning of TLS", `\x16\x03\x01\x02\x00\x01\x00\x01\xfc${"A".repeat(500)}`, 400],
    ["no version", "GET /v1/me\r\n\r\n", 505],
    ["a version that is none", "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 505],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["a method that is none", "G@T /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["a method of 10,000 letters", `${"A".repeat(10_000)} / HTTP/1.1\r\nHost: x\r\n\r\n`, "ends"],
    ["a path without a slash", "GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["no path", "GET HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["spaces between", "GET  /healthz  HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["lines that end with LF", "GET /healthz HTTP/1.1\nHost: x\n\n", 505],
    ["a NUL in the path", "GET /v1/\0me HTTP/1.1\r\nHost: x\r\n\r\n", 505],
    ["a NUL in a header", `${GET}X: a\0b\r\n\r\n`, 400],
    ["a CR in a header", `${GET}X: a\rb\r\n\r\n`, 400],
    ["a folded header", `${GET}X: a\r\n b\r\n\r\n`, 400],
    ["a header without a colon", `${GET}X\r\n\r\n`, 400],
    ["a header without a name", `${GET}: x\r\n\r\n`, 400],
    ["a space before a colon", `${GET}Content-Length : 3\r\n\r\n`, 400],
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
    ["a header of 200,000 bytes", `${GET}X: ${"x".repeat(200_000)}\r\n\r\n`, 431],
    ["5,000 headers", `${GET}${"X: y\r\n".repeat(5_000)}\r\n`, 431],
    ["a path of 100,000 bytes", `GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ["two lengths", `${put}Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}`, 400],
    ["a length and chunks", `${put}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ["a length below zero", `${put}Content-Length: -1\r\n\r\n{}`, 400],
    ["a length with a sign", `${put}Content-Length: +2\r\n\r\n{}`, 400],
    ["a hexadecimal length", `${put}Content-Length: 0x2\r\n\r\n{}`, 400],
    ["a length of 24 digits", `${put}Content-Length: ${"9".repeat(24)}\r\n\r\n{}`, 400],
    ["a length of 10 GB", `${put}Content-Length: 9999999999\r\n\r\n{}`, 413],
    ["an encoding that is none", `${put}Transfer-Encoding: gzip\r\n\r\n{}`, 400],
    ["a chunk without a size", `${chunked}ZZ\r\n{}\r\n0\r\n\r\n`, 400],
    ["a chunk of a size below zero", `${chunked}-1\r\n{}\r\n0\r\n\r\n`, 400],
    ["a chunk of 2^68 bytes", `${chunked}${"F".repeat(17)}\r\n{}\r\n0\r\n\r\n`, 400],
    ["a chunk that says more", `${chunked}2;${"x".repeat(100_000)}\r\n{}\r\n`, 413],
    ["chunks without an end", `${chunked}${"1\r\n \r\n".repeat(70_000)}`, 413],
    ["another host", "GET http://x.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200],
    ["a proxy's method", "CONNECT x.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ["the path *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["a path above the root", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404],
    ["bad percents", `${put.replace("PUT /v1/me", "GET /v1/rooms/%zz/state?%zz=%")}\r\n`, 404],
    ["bytes above 127 in a path", "GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 404],
    ["a thousand requests at once", `${GET}\r\n`.repeat(1_000), 200],
    ["a WebSocket of another version", stream.replace("13", "99"), 426],
    ["a WebSocket without a key", stream.replace(/Sec-WebSocket-Key.*\r\n/, ""), 400],
    ["a WebSocket with half a key", halfKey, 400],
    ["a WebSocket by POST", stream.replace("GET", "POST"), 405],
    ["a WebSocket where there is none", upgradeOf("/healthz"), 200],
  ];
}

async function answerTo(siege: Siege, text: string): Promise<number | "ends"> {
  using raw = new Raw(siege.url);
  raw.send(text);
  const line = await raw.head();
  return line === undefined ? "ends" : Number(line.split(" ")[1]);
}

describe("a request that is none", () => {
  test("is refused, and nobody else notices", async () => {
    await using siege = await Siege.start();
    const cases = malformed(await siege.person("eve"));
    const answers = new Map<string, number | "ends">();
    const attack = async (): Promise<void> => {
      for (const [name, text] of cases) answers.set(name, await answerTo(siege, text));
    };
    const faults = await siege.faultsUnder("malformed HTTP", attack, { times: 20 });
    expect(Object.fromEntries(answers)).toEqual(
      Object.fromEntries(cases.map(([name, , answer]) => [name, answer])),
    );
    expect(faults).toEqual([]);
  }, 30_000);
});

describe("a stream", () => {
  test("is never compressed: what a client offers to compress by is not taken up", async () => {
    await using siege = await Siege.start();
    const offer = "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame";
    const target = `/v1/stream?token=${await siege.person("eve")}`;
    using raw = new Raw(siege.url);
    raw.send(upgradeOf(target, `Sec-WebSocket-Extensions: ${offer}`));
    expect(await raw.hears("hello")).toBe(true);
    expect(raw.received.toString("latin1").toLowerCase()).not.toContain("sec-websocket-extensions");
  });
});

describe("a body that nobody reads", () => {
  test("is thrown away as it comes, however long it is", async () => {
    await using siege = await Siege.start();
    const authorization = `Authorization: Bearer ${await siege.person("eve")}\r\n`;
    const head = (line: string, more = ""): string =>
      `${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n${more}\r\n`;
    const heads = [
      head("PUT /v1/me", authorization),
      head("PUT /v1/me"),
      head("GET /healthz"),
      head("POST /nowhere"),
    ];
    const faults = await siege.faultsUnder("bodies of 64 MB", async () => {
      for (const each of heads) {
        using raw = new Raw(siege.url);
        raw.send(each);
        expect(await raw.head()).toMatch(/^HTTP\/1.1 [24]\d\d/);
        for (let sent = 0; sent < 64; sent += 1) await raw.sent(Buffer.alloc(1_000_000, "x"));
      }
    });
    expect(faults).toEqual([]);
  }, 60_000);
});
