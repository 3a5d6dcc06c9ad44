import type { TypingSignal } from "@porchlight/core";
import type { AwarenessBatch, AwarenessShare } from "@porchlight/core/awareness";
import type { Announcement, PersonKey, RoomKey } from "../store/store.ts";

/** What nodes say to each other of awareness in a room. */
export type AwarenessMessage =
  /** Sockets did something. Lost, the next one shows it, and what this node knows is asked for. */
  | ({ readonly kind: "awareness" } & RoomKey & AwarenessBatch)
  /** What do you know of the room? Lost, whoever asks waits for a moment, and hears it later. */
  | ({
      readonly kind: "awareness_asked";
      /** The node that is asked; all of them where it is absent. */
      readonly of?: string;
    } & RoomKey)
  /** What this node knows of the room, in parts that follow one another. Lost, as if it had not been asked for. */
  | ({
      readonly kind: "awareness_told";
      /** The node that asked; all of them where it is absent. */
      readonly to?: string;
      /** From 0 on. */
      readonly part: number;
      readonly parts: number;
    } & RoomKey &
      AwarenessShare);

/** What nodes say to each other besides people's records. Lost when nobody hears it: each says what that costs. */
export type ClusterMessage =
  /** A typing signal was published, renewed or ended. Lost, it runs out by itself. */
  | ({ readonly kind: "typing"; readonly how: "start" | "renew" | "stop" } & TypingSignal & {
        readonly tenant_id: string;
      })
  /** All that a person types in a room is over. */
  | ({ readonly kind: "typing_over"; readonly room_id: string } & PersonKey)
  /** Something durable happened. Lost, it is read from the store. */
  | { readonly kind: "announced"; readonly announcement: Announcement }
  /** Something for one person's own devices. */
  | { readonly kind: "private"; readonly announcement: Announcement }
  /** A message was put off. Lost, the store says so when this node is asked for it next. */
  | { readonly kind: "snoozed"; readonly until: number }
  | AwarenessMessage
  /** A device signed off. */
  | ({ readonly kind: "signed_off"; readonly device_id: string } & PersonKey)
  /** A token stands for nobody any more, or a person or a tenant is no more. Lost, tokens are asked for again. */
  | {
      readonly kind: "revoked";
      readonly tenant_id: string;
      readonly participant_id?: string;
      readonly token_id?: string;
    };
