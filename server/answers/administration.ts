import { ERROR_STATUS, type ErrorCode } from "@porchlight/core";
import * as z from "zod/mini";
import { FaultAnswer } from "./people.ts";
import { count, described, id, named } from "./words.ts";

/** A new token, shown once. */
export const NewToken = z.strictObject({ token: z.string(), token_id: id });

/** A token that is no more. */
export const DeletedToken = z.strictObject({ token_id: id });

/** What is no more, by what names it. */
export const TenantId = z.strictObject({ tenant_id: id });
export const ParticipantId = z.strictObject({ participant_id: id });
export const RoomId = z.strictObject({ room_id: id });
export const MemberId = z.strictObject({ room_id: id, participant_id: id });
export const TaskId = z.strictObject({ room_id: id, task_id: id });

/** A line of an import, and of an export: what it says besides depends on its type. */
export const Line = named(
  "Line",
  z.looseObject({
    type: described(z.string(), "such as `participant`, `room`, `member` or `event`"),
    tenant_id: z.optional(id),
  }),
);

const counts = z.strictObject({ lines: count, applied: count, refused: count });
const CODES = Object.keys(ERROR_STATUS) as ErrorCode[];

/** A line of the report of an import. */
export const ReportLine = named(
  "ReportLine",
  z.union([
    z.strictObject({
      line: described(z.int().check(z.minimum(1)), "the number of a line that was refused"),
      code: z.enum(CODES),
      message: z.string().check(z.minLength(1)),
      details: z.optional(z.array(FaultAnswer).check(z.minLength(1))),
    }),
    described(z.strictObject({ progress: counts }), "how far it has come"),
    z.strictObject({
      data: described(counts, "what it came to, at the end"),
      meta: z.optional(
        z.strictObject({
          unreported: described(count, "refused lines that nobody read in time, only counted"),
        }),
      ),
    }),
  ]),
);
