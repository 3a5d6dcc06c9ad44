import { CodedError, TenantQuery } from "@porchlight/core";
import { type AnyElysia, Elysia } from "elysia";
import type { Administrator } from "../auth.ts";
import type { Deps } from "../deps.ts";
import { type Call, forAdministrator, type Streamed } from "../endpoint.ts";
import { importLines, type ReportLine } from "../import.ts";
import { errorFields } from "../log.ts";
import { encodeLines, streamOf } from "../ndjson.ts";
import { noSuch } from "../refusals.ts";

type Moving = Call<Administrator, undefined, { tenant_id?: string | undefined }>;

/** What may wait of a report, in bytes, for a client that sends all before it reads any. */
const REPORT_MAX_BYTES = 8_388_608;
/** JSON in lines, what curl sends with `-d` and means nothing by, or nothing. */
const ACCEPTED =
  /^(application\/([\w.+-]+\+)?(x-)?(json|ndjson|jsonl|jsonlines|x-www-form-urlencoded)|application\/octet-stream|text\/plain)\s*(;|$)/i;

/** Moving everything in, and out again, line by line. */
export function movingRoutes({ shell, store, liveness, snoozes, clock }: Deps): AnyElysia {
  const query = TenantQuery;
  const failed = (event: string) => (error: unknown) =>
    shell.log("error", event, errorFields(error));

  return new Elysia({ prefix: "/v1/admin" })
    .get(
      "/export",
      forAdministrator(shell, { query }, async (call): Promise<Streamed> => {
        const pages = store.exported(await tenantMeant(call));
        return { lines: streamOf(encoded(pages), { clock, failed: failed("export.failed") }) };
      }),
    )
    .post(
      "/import",
      forAdministrator(shell, { query }, async (call): Promise<Streamed> => {
        const { caller, request } = call;
        const type = request.headers.get("content-type");
        if (type !== null && !ACCEPTED.test(type))
          throw new CodedError(
            "SW_UNSUPPORTED_MEDIA_TYPE",
            "The body must be lines of JSON, with the content type application/x-ndjson",
          );
        const to = {
          store,
          liveness,
          snoozes,
          now: () => clock.wall(),
          failed: failed("import.failed"),
        };
        const scope = { only: caller.tenant_id, usual: await tenantMeant(call) };
        const report = importLines(request.body ?? nothing(), to, scope, shell.stopping);
        return { lines: reported(report) };
      }),
    );

  /** The tenant of the administrator, or the one that is named; undefined for all. */
  async function tenantMeant({ caller, query }: Moving): Promise<string | undefined> {
    const { tenant_id } = query;
    if (tenant_id === undefined) return caller.tenant_id;
    const isTheirs = caller.tenant_id === undefined || caller.tenant_id === tenant_id;
    if (isTheirs && (await store.hasTenant(tenant_id))) return tenant_id;
    throw noSuch("tenant");
  }
}

async function* encoded(
  pages: AsyncGenerator<readonly object[], void>,
): AsyncGenerator<Uint8Array, void> {
  for await (const lines of pages) yield encodeLines(lines);
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}

/**
 * The report of an import, which goes on whether it is read or not: a client
 * may send everything first. What does not fit until then is only counted.
 */
function reported(report: AsyncGenerator<ReportLine, void>): ReadableStream<Uint8Array> {
  let isRead = true;
  let unreported = 0;
  const tell = (
    controller: ReadableStreamDefaultController<Uint8Array>,
    line: ReportLine,
  ): void => {
    if ("data" in line) {
      const meta = unreported > 0 ? { meta: { unreported } } : {};
      controller.enqueue(encodeLines([{ ...line, ...meta }]));
    } else if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encodeLines([line]));
    else unreported += 1;
  };
  const start = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    for await (const line of report) if (isRead) tell(controller, line);
    if (isRead) controller.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        start(controller).catch((error: unknown) => controller.error(error));
      },
      cancel: () => {
        isRead = false;
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: REPORT_MAX_BYTES }),
  );
}
