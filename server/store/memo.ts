/** Rows beyond this many are forgotten, those that were asked for longest ago first. */
const ROWS_MAX = 50_000;
/** An answer of more rows than this is not kept: it would take the place of too many others. */
const ANSWER_MAX = 5_000;

/** How often a table has been written. */
interface Table {
  writes: number;
}

interface Kept {
  readonly rows: readonly unknown[];
  /** How often the tables of the statement had been written, together, when it was run. */
  readonly writes: number;
}

/** A statement whose answers can be known: what tells it from all others, and the tables that it names. */
export interface Memorable {
  readonly number: number;
  readonly tables: readonly Table[];
}

/**
 * The rows that statements have answered, each known until a table is written
 * that the statement names. Which tables these are follows from its text, so
 * that nobody has to say it, or can forget to.
 *
 * What is known is the same array of the same rows each time: what is made of
 * it can be kept with it, and nobody may change it.
 */
export class Memo {
  readonly #tables = new Map<string, Table>();
  /** By statement and what was bound to it, what was asked for last at the end. */
  readonly #kept = new Map<string, Kept>();
  #statements = 0;
  #rows = 0;

  /** To be called once for a statement. @param sql as the query builder writes it, with names in quotes. */
  statement(sql: string): Memorable {
    this.#statements += 1;
    const named = [...sql.matchAll(/\b(?:from|join|into|update) "(\w+)"/g)];
    const names = new Set(named.map(([, name = ""]) => name));
    return { number: this.#statements, tables: [...names].map((name) => this.#table(name)) };
  }

  /** The rows of a statement that only reads; it is run where they are not known. */
  rows(
    { number, tables }: Memorable,
    bound: readonly unknown[],
    run: () => readonly unknown[],
  ): readonly unknown[] {
    const key = number + JSON.stringify(bound);
    const writes = writesOf(tables);
    const kept = this.#kept.get(key);
    if (kept !== undefined) this.#forget(key, kept);
    const rows = kept?.writes === writes ? kept.rows : run();
    if (rows.length <= ANSWER_MAX) this.#keep(key, { rows, writes });
    return rows;
  }

  /** A statement has been run that writes. */
  written({ tables }: Memorable): void {
    for (const table of tables) table.writes += 1;
  }

  /** Somebody else may have written anything. */
  clear(): void {
    this.#kept.clear();
    this.#rows = 0;
  }

  #table(name: string): Table {
    const table = this.#tables.get(name) ?? { writes: 0 };
    this.#tables.set(name, table);
    return table;
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.set(key, kept);
    this.#rows += weightOf(kept);
    for (const [oldest, each] of this.#rows > ROWS_MAX ? this.#kept : []) {
      this.#forget(oldest, each);
      if (this.#rows <= ROWS_MAX) return;
    }
  }

  #forget(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#rows -= weightOf(kept);
  }
}

/** Counts only grow, so that their sum tells whether any of them has. */
function writesOf(tables: readonly Table[]): number {
  let sum = 0;
  for (const { writes } of tables) sum += writes;
  return sum;
}

/** That there is nothing takes its place, too. */
function weightOf({ rows }: Kept): number {
  return rows.length + 1;
}
