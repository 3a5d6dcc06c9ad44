import { postgresDatabase, withPostgres } from "../../support/postgres.ts";
import { storeConformance } from "./store-conformance.ts";

await withPostgres("PostgreSQL", () => storeConformance("PostgreSQL", postgresDatabase));
