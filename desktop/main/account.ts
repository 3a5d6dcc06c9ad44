import type { SafeStorage } from "electron";
import type { Account } from "../bridge.ts";
import type { KeptFile } from "./kept-file.ts";

/** What is kept of an account. */
interface Sealed {
  readonly url: string;
  /** Base64 of what `safeStorage` made of the token. */
  readonly token: string;
}

/**
 * Who is signed in. Beyond the session it is kept only where the system seals
 * the token with a secret of its own; elsewhere it is forgotten with the process.
 */
export class AccountKeeper {
  readonly #file: KeptFile;
  readonly #safe: SafeStorage;
  #account: Account | undefined;

  private constructor(file: KeptFile, safe: SafeStorage) {
    this.#file = file;
    this.#safe = safe;
  }

  /** Takes up what was kept last. What cannot be unsealed any more is as good as never kept. */
  static async open(file: KeptFile, safe: SafeStorage): Promise<AccountKeeper> {
    const keeper = new AccountKeeper(file, safe);
    const sealed = sealedOf(file.read());
    if (sealed === undefined || !(await keeper.#canSeal())) return keeper;
    try {
      const token = Buffer.from(sealed.token, "base64");
      const { result, shouldReEncrypt } = await safe.decryptStringAsync(token);
      keeper.#account = { url: sealed.url, token: result };
      if (shouldReEncrypt) await keeper.keep(keeper.#account, true);
    } catch (error) {
      console.warn("Cannot unseal the account that was kept:", error);
    }
    return keeper;
  }

  get account(): Account | undefined {
    return this.#account;
  }

  /** @param remember whether to keep it beyond this session, where that is possible. */
  async keep(account: Account, remember: boolean): Promise<void> {
    this.#account = account;
    if (!remember || !(await this.#canSeal())) {
      this.#file.remove();
      return;
    }
    try {
      const token = await this.#safe.encryptStringAsync(account.token);
      // Somebody may have signed in or out in the meantime.
      if (this.#account === account)
        this.#file.write({ url: account.url, token: token.toString("base64") } satisfies Sealed);
    } catch (error) {
      console.warn("Cannot keep the account beyond this session:", error);
    }
  }

  forget(): void {
    this.#account = undefined;
    this.#file.remove();
  }

  /** On Linux without a keyring the secret is the same for everybody: it seals nothing. */
  async #canSeal(): Promise<boolean> {
    const isOpen =
      process.platform === "linux" &&
      ["basic_text", "unknown"].includes(this.#safe.getSelectedStorageBackend());
    return !isOpen && (await this.#safe.isAsyncEncryptionAvailable());
  }
}

function sealedOf(kept: unknown): Sealed | undefined {
  if (typeof kept !== "object" || kept === null || !("url" in kept) || !("token" in kept))
    return undefined;
  const { url, token } = kept;
  return typeof url === "string" && typeof token === "string" ? { url, token } : undefined;
}
