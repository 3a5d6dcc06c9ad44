import { LISTINGS, PAGE_ROWS, type Read } from "./listings.ts";
import { all, statement } from "./query.ts";
import type { Tables } from "./schema.ts";
import type { ExportLine } from "./store.ts";

const selectTenants = statement<{ after: string; limit: number }>()((db, p) =>
  db
    .selectFrom("tenants")
    .selectAll()
    .where("tenant_id", ">", p.after)
    .orderBy("tenant_id")
    .limit(p.limit),
);

const selectTenant = statement<{ tenant_id: string }>()((db, p) =>
  db.selectFrom("tenants").selectAll().where("tenant_id", "=", p.tenant_id),
);

/** Everything durable of one tenant, or of all, in pages of lines; see the port. */
export async function* exported(
  read: Read,
  tenant_id: string | undefined,
): AsyncGenerator<readonly ExportLine[], void> {
  for await (const tenant of tenantsOf(read, tenant_id)) {
    yield [tenantLine(tenant)];
    for (const pages of LISTINGS) yield* pages(read, tenant.tenant_id);
  }
}

async function* tenantsOf(
  read: Read,
  tenant_id: string | undefined,
): AsyncGenerator<Tables["tenants"], void> {
  if (tenant_id !== undefined) {
    yield* await read(all(selectTenant, { tenant_id }));
    return;
  }
  for (let after: string | undefined = ""; after !== undefined; ) {
    const rows: readonly Tables["tenants"][] = await read(
      all(selectTenants, { after, limit: PAGE_ROWS }),
    );
    yield* rows;
    after = rows.at(-1)?.tenant_id;
  }
}

function tenantLine({ tenant_id, slug, name, features_json }: Tables["tenants"]): ExportLine {
  return { type: "tenant", tenant_id, slug, name, features: JSON.parse(features_json) };
}
