/** Rows and answers beyond this many are forgotten, those that were asked for longest ago first. */
const KEPT_MAX = 50_000;
/** Fewer rows than this are found as soon as they are remembered, and more would take the place of too many others. */
const ROWS_KEPT = { least: 10, most: 5_000 } as const;

/** How often a table has been written. */
interface Table {
  writes: number;
}

interface Kept {
  readonly value: unknown;
  /** How much it takes: one, or as many as there are rows. */
  readonly weight: number;
  /** What it was read from. */
  readonly tables: readonly Table[];
  /** How often these had been written, together, when it was read. */
  readonly writes: number;
}

/** A statement whose rows can be known: what tells it from all others, and the tables that it names. */
export interface Memorable {
  readonly number: number;
  readonly tables: readonly Table[];
}

/**
 * What a database has answered, each known until a table is written that it
 * was read from. Which tables these are follows from the text of the
 * statements that were run, so that nobody has to say it, or can forget to.
 *
 * What is known is the same object each time: what is made of it can be kept
 * with it, and nobody may change it.
 */
export class Memo {
  readonly #tables = new Map<string, Table>();
  /** What was asked for last is at the end. */
  readonly #kept = new Map<string, Kept>();
  /** The tables of what is being answered, and whether it is of a size that can be kept. */
  #answering: { readonly tables: Set<Table>; isSmall: boolean } | undefined;
  #statements = 0;
  #weight = 0;

  /** To be called once for a statement. @param sql as the query builder writes it, with names in quotes. */
  statement(sql: string): Memorable {
    this.#statements += 1;
    const named = [...sql.matchAll(/\b(?:from|join|into|update) "(\w+)"/g)];
    const names = new Set(named.map(([, name = ""]) => name));
    return { number: this.#statements, tables: [...names].map((name) => this.#table(name)) };
  }

  /** The rows of a statement that only reads, as part of an answer; it is run where they are not known. */
  rows(
    { number, tables }: Memorable,
    bound: readonly unknown[],
    run: () => readonly unknown[],
  ): readonly unknown[] {
    const answering = this.#answering;
    if (answering === undefined) return run();
    for (const table of tables) answering.tables.add(table);
    const key = number + JSON.stringify(bound);
    const known = this.#recall(key);
    if (known !== undefined) return known.value as readonly unknown[];
    const rows = run();
    if (rows.length > ROWS_KEPT.most) answering.isSmall = false;
    else if (rows.length >= ROWS_KEPT.least) this.#keep(key, rows, tables, rows.length);
    return rows;
  }

  /**
   * What is made of the rows of statements, under a key; they are run where it is not known. That there is nothing is
   * not kept: anyone can ask for what there is not.
   */
  answer<T>(key: string, run: () => T): T {
    const known = this.#recall(key);
    if (known !== undefined) return known.value as T;
    const answering = { tables: new Set<Table>(), isSmall: true };
    this.#answering = answering;
    try {
      const value = run();
      if (answering.isSmall && value !== undefined)
        this.#keep(key, value, [...answering.tables], 1);
      return value;
    } finally {
      this.#answering = undefined;
    }
  }

  /** What was answered under a key, if that still holds. */
  known(key: string): unknown {
    return this.#recall(key)?.value;
  }

  /** A statement has been run that writes. */
  written({ tables }: Memorable): void {
    for (const table of tables) table.writes += 1;
  }

  /** Somebody else may have written anything. */
  clear(): void {
    this.#kept.clear();
    this.#weight = 0;
  }

  #table(name: string): Table {
    const table = this.#tables.get(name) ?? { writes: 0 };
    this.#tables.set(name, table);
    return table;
  }

  #recall(key: string): Kept | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    if (writesOf(kept.tables) === kept.writes) {
      this.#kept.set(key, kept);
      return kept;
    }
    this.#weight -= kept.weight;
    return undefined;
  }

  #keep(key: string, value: unknown, tables: readonly Table[], weight: number): void {
    this.#kept.set(key, { value, weight, tables, writes: writesOf(tables) });
    this.#weight += weight;
    for (const [oldest, each] of this.#weight > KEPT_MAX ? this.#kept : []) {
      this.#kept.delete(oldest);
      this.#weight -= each.weight;
      if (this.#weight <= KEPT_MAX) return;
    }
  }
}

/** Counts only grow, so that their sum tells whether any of them has. */
function writesOf(tables: readonly Table[]): number {
  let sum = 0;
  for (const { writes } of tables) sum += writes;
  return sum;
}
