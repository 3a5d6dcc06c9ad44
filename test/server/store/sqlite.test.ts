import { sqliteDatabase } from "../../support/sqlite.ts";
import { storeConformance } from "./store-conformance.ts";

storeConformance("SQLite", sqliteDatabase);
