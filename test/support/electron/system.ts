import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";

/** `powerMonitor`: a machine whose user does nothing until a test says so. */
export class PowerMonitor extends EventEmitter {
  /** Seconds since the last input. */
  idleTime = 0;
  idleState: "active" | "idle" | "locked" | "unknown" = "active";

  getSystemIdleTime(): number {
    return this.idleTime;
  }

  getSystemIdleState(): "active" | "idle" | "locked" | "unknown" {
    return this.idleState;
  }
}

/** What the system keeps for an app beyond its life: where secrets are sealed, and with what. */
export class Keyring {
  readonly key = randomBytes(32);
  readonly backend: "gnome_libsecret" | "basic_text";
  /** The key is not the newest one any more. */
  isRotated = false;

  constructor(backend: "gnome_libsecret" | "basic_text" = "gnome_libsecret") {
    this.backend = backend;
  }
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `safeStorage`, of which only what is not deprecated. */
export class SafeStorage {
  readonly #keyring: Keyring;

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
  }

  getSelectedStorageBackend(): string {
    return this.#keyring.backend;
  }

  async isAsyncEncryptionAvailable(): Promise<boolean> {
    return true;
  }

  async encryptStringAsync(text: string): Promise<Buffer> {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#keyring.key, nonce);
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  async decryptStringAsync(sealed: Buffer): Promise<{ result: string; shouldReEncrypt: boolean }> {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", this.#keyring.key, nonce);
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES));
    const result = Buffer.concat([text, decipher.final()]).toString("utf8");
    return { result, shouldReEncrypt: this.#keyring.isRotated };
  }
}

type Request = (contents: unknown, permission: string, answer: (allowed: boolean) => void) => void;
type Check = (contents: unknown, permission: string) => boolean;

/** `session.defaultSession`: what it would let pages do. */
export class Session extends EventEmitter {
  #request: Request = (_contents, _permission, answer) => answer(true);
  #check: Check = () => true;
  #device: () => boolean = () => false;

  setPermissionRequestHandler(handler: Request): void {
    this.#request = handler;
  }

  setPermissionCheckHandler(handler: Check): void {
    this.#check = handler;
  }

  setDevicePermissionHandler(handler: () => boolean): void {
    this.#device = handler;
  }

  /** Whether a page would get anything of a permission: when it asks, when it looks, or by a device. */
  allows(permission: string): boolean {
    let isGranted = false;
    this.#request({}, permission, (allowed) => {
      isGranted = allowed;
    });
    return isGranted || this.#check({}, permission) || this.#device();
  }
}
