import type { VisibleState } from "@porchlight/core";
import { WebsocketProvider } from "y-websocket";
import { Doc } from "yjs";

/** What the awareness of a room says of somebody. */
export interface LivePerson {
  readonly presence: VisibleState;
  readonly typing: boolean;
}

interface LiveState {
  readonly user?: { readonly participant_id?: string };
  readonly presence?: VisibleState;
  readonly typing?: boolean;
}

/** Presence and typing in the open room, by Yjs awareness. Once it is closed it is replaced, never opened again. */
export class Live {
  readonly #doc = new Doc();
  readonly #provider: WebsocketProvider;
  readonly #onChange: () => void;
  #people: ReadonlyMap<string, LivePerson> = new Map();

  constructor(options: {
    readonly url: string;
    readonly token: string;
    readonly device_id: string;
    readonly instance: string;
    readonly room_id: string;
    readonly onChange: () => void;
  }) {
    const { url, token, device_id, instance, room_id } = options;
    this.#onChange = options.onChange;
    this.#provider = new WebsocketProvider(
      `${url.replace(/^http/, "ws").replace(/\/+$/, "")}/v1/yjs`,
      encodeURIComponent(room_id),
      this.#doc,
      {
        params: { device_id, instance },
        protocols: ["porchlight.v1", `bearer.${token}`],
        disableBc: true,
      },
    );
    this.#provider.awareness.setLocalState({ typing: false });
    this.#provider.awareness.on("change", () => this.#read());
    this.#provider.on("status", () => this.#onChange());
  }

  /** Whether it says what is true now. */
  get isCurrent(): boolean {
    return this.#provider.wsconnected && this.#provider.synced;
  }

  /** Everybody who is seen here but the user. */
  get people(): ReadonlyMap<string, LivePerson> {
    return this.#people;
  }

  /** Tells that the user types, or ceased to. Answers whether it could. */
  type(typing: boolean): boolean {
    this.#provider.awareness.setLocalStateField("typing", typing);
    return this.#provider.wsconnected;
  }

  /** Leaves the room: others see it at once. */
  close(): void {
    this.#provider.destroy();
    this.#doc.destroy();
  }

  #read(): void {
    const people = new Map<string, LivePerson>();
    const { awareness } = this.#provider;
    for (const [id, { user, presence, typing }] of awareness.getStates() as Map<
      number,
      LiveState
    >) {
      if (id === awareness.clientID || user?.participant_id === undefined) continue;
      if (presence !== undefined)
        people.set(user.participant_id, { presence, typing: typing === true });
    }
    this.#people = people;
    this.#onChange();
  }
}
