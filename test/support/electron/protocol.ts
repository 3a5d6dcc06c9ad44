/** How a scheme of the app's own is answered. */
type Handler = (request: Request) => Response | Promise<Response>;

/** What the protocol of a scheme may. */
interface Privileges {
  readonly standard?: boolean;
  readonly secure?: boolean;
}

/** `protocol`: the schemes that an app answers itself. */
export class Protocol {
  readonly #privileges = new Map<string, Privileges>();
  readonly #handlers = new Map<string, Handler>();
  readonly #isReady: () => boolean;

  constructor(isReady: () => boolean) {
    this.#isReady = isReady;
  }

  registerSchemesAsPrivileged(
    schemes: readonly { scheme: string; privileges: Privileges }[],
  ): void {
    if (this.#isReady())
      throw new Error("protocol.registerSchemesAsPrivileged should be called before app is ready");
    for (const { scheme, privileges } of schemes) this.#privileges.set(scheme, privileges);
  }

  handle(scheme: string, handler: Handler): void {
    const { standard, secure } = this.#privileges.get(scheme) ?? {};
    // The page has it from an `https:` address, as which only such a scheme can pass.
    if (standard !== true || secure !== true)
      throw new Error(`The stand-in serves only schemes that are standard and secure: "${scheme}"`);
    this.#handlers.set(scheme, handler);
  }

  /** What the app answers to a request for an address of its own. */
  async answer(url: string, init: RequestInit = {}): Promise<Response> {
    const handler = this.#handlers.get(url.slice(0, url.indexOf(":")));
    if (handler === undefined) throw new Error(`Nobody answers "${url}"`);
    return handler(new Request(url, init));
  }
}
