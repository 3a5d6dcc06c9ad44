import {
  CompactSign,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";
import { Arrivals } from "./arrivals.ts";
import type { TestClock } from "./clock.ts";

/** How a key server answers. `holds`: not before it is told to. `moves`: that the keys are elsewhere. */
export type Answering = "keys" | "holds" | "fails" | "page" | "moves";

const SECOND_MS = 1_000;

/** Who signs tokens, with a key server on a free port of this machine. */
export class TestIssuer implements AsyncDisposable {
  static readonly ISSUER = "https://issuer.example";
  static readonly AUDIENCE = "porchlight";

  readonly #clock: TestClock;
  readonly #server: ReturnType<typeof Bun.serve>;
  readonly #asked = new Arrivals<string>();
  #keys: JWK[] = [];
  #signing: { kid: string; alg: string; key: CryptoKey } | undefined;
  #release: () => void = () => undefined;
  #released: Promise<void> = Promise.resolve();
  #answering: Answering = "keys";

  private constructor(clock: TestClock) {
    this.#clock = clock;
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => this.#answer(url),
    });
  }

  /** Starts with one key. */
  static async start(clock: TestClock, alg = "ES256"): Promise<TestIssuer> {
    const issuer = new TestIssuer(clock);
    await issuer.rotate("first", alg);
    return issuer;
  }

  /** What a server is configured with that trusts this issuer. */
  get env(): Record<string, string> {
    return {
      PORCHLIGHT_JWKS_URL: `http://127.0.0.1:${this.#server.port}/keys`,
      PORCHLIGHT_JWT_ISSUER: TestIssuer.ISSUER,
      PORCHLIGHT_JWT_AUDIENCE: TestIssuer.AUDIENCE,
    };
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** The keys as they are published. */
  get keys(): readonly JWK[] {
    return this.#keys;
  }

  /** How often the keys were asked for. */
  get asked(): number {
    return this.#asked.items.length;
  }

  /** Resolves once something was asked for so many times. */
  async askedTimes(times: number): Promise<void> {
    await this.#asked.until(({ length }) => (length >= times ? true : undefined));
  }

  /** How the key server answers from now on. What it holds is answered once it answers otherwise. */
  answer(answering: Answering): void {
    this.#answering = answering;
    this.#release();
    if (answering !== "holds") return;
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** Signs with a new key from now on, and publishes it beside those that are kept. */
  async rotate(kid: string, alg = "ES256", keep: readonly string[] = []): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
    this.#keys = [...this.#keys.filter((each) => keep.includes(each.kid ?? "")), jwk];
    this.#signing = { kid, alg, key: privateKey };
  }

  /** Publishes what it is told to. */
  publish(keys: readonly JWK[]): void {
    this.#keys = [...keys];
  }

  /** The instant so many seconds from now, as claims give it. */
  in(seconds: number): number {
    return Math.floor(this.#clock.wall() / SECOND_MS) + seconds;
  }

  /** Claims of a good token of Ann's; those that are `undefined` are left out. */
  claims(claims: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      iss: TestIssuer.ISSUER,
      aud: TestIssuer.AUDIENCE,
      tenant_id: "acme",
      sub: "ann",
      iat: this.in(0),
      exp: this.in(300),
      ...claims,
    };
  }

  /** A token with these claims, and with these headers, by the present key or another. */
  async sign(
    claims: Record<string, unknown> = {},
    header: Partial<JWTHeaderParameters> = {},
    key: CryptoKey | Uint8Array | undefined = this.#signing?.key,
  ): Promise<string> {
    if (key === undefined || this.#signing === undefined) throw new Error("Cannot sign: no key");
    const { kid, alg } = this.#signing;
    return new SignJWT(JSON.parse(JSON.stringify(this.claims(claims))))
      .setProtectedHeader({ alg, kid, ...header })
      .sign(key, { crit: { odd: true } });
  }

  /** A token with claims as they are written, JSON or not. */
  async signText(claims: string): Promise<string> {
    if (this.#signing === undefined) throw new Error("Cannot sign: no key");
    const { kid, alg, key } = this.#signing;
    const signer = new CompactSign(new TextEncoder().encode(claims));
    return signer.setProtectedHeader({ kid, alg }).sign(key);
  }

  async #answer(url: string): Promise<Response> {
    this.#asked.add(new URL(url).pathname);
    if (this.#answering === "holds") await this.#released;
    if (this.#answering === "fails") return Response.json({ keys: [] }, { status: 502 });
    if (this.#answering === "moves" && !url.endsWith("/moved"))
      return Response.redirect(`${this.url}/moved`);
    if (this.#answering === "page") return new Response("<html>Sign in</html>");
    return Response.json({ keys: this.#keys });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
    await this.#server.stop(true);
  }
}
