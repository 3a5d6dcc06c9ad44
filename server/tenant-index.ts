/** Sets of things by a tenant and an id within it: sockets by their person, say. */
export class TenantIndex<T> {
  readonly #tenants = new Map<string, Map<string, Set<T>>>();

  /** What stands under an id, in the order in which it was put there. Not a copy. */
  of(tenant_id: string, id: string): ReadonlySet<T> {
    return this.#tenants.get(tenant_id)?.get(id) ?? NOTHING;
  }

  /** Whether there is anything of a tenant. */
  has(tenant_id: string): boolean {
    return this.#tenants.has(tenant_id);
  }

  /** Everything of a tenant. */
  *all(tenant_id: string): Iterable<T> {
    for (const values of this.#tenants.get(tenant_id)?.values() ?? []) yield* values;
  }

  put(tenant_id: string, id: string, value: T): void {
    const tenant = this.#tenants.get(tenant_id) ?? new Map<string, Set<T>>();
    this.#tenants.set(tenant_id, tenant);
    const values = tenant.get(id) ?? new Set<T>();
    tenant.set(id, values.add(value));
  }

  /** Takes something out. Does nothing when it is not there. */
  take(tenant_id: string, id: string, value: T): void {
    const tenant = this.#tenants.get(tenant_id);
    const values = tenant?.get(id);
    values?.delete(value);
    if (values?.size === 0) tenant?.delete(id);
    if (tenant?.size === 0) this.#tenants.delete(tenant_id);
  }
}

const NOTHING: ReadonlySet<never> = new Set<never>();
