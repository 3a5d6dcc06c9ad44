/** Things by a tenant and an id within it: sockets by their person, say. Most ids have but one, which then needs no set. */
export class TenantIndex<T extends object> {
  readonly #tenants = new Map<string, Map<string, T | Set<T>>>();

  /** What stands under an id, in the order in which it was put there. */
  of(tenant_id: string, id: string): Iterable<T> {
    return valuesOf(this.#tenants.get(tenant_id)?.get(id));
  }

  /** Whether there is anything of a tenant, or under an id within it. */
  has(tenant_id: string, id?: string): boolean {
    const tenant = this.#tenants.get(tenant_id);
    return id === undefined ? tenant !== undefined : tenant?.has(id) === true;
  }

  /** Everything of a tenant. */
  *all(tenant_id: string): Iterable<T> {
    for (const values of this.#tenants.get(tenant_id)?.values() ?? []) yield* valuesOf(values);
  }

  put(tenant_id: string, id: string, value: T): void {
    const tenant = this.#tenants.get(tenant_id) ?? new Map<string, T | Set<T>>();
    this.#tenants.set(tenant_id, tenant);
    const values = tenant.get(id);
    if (values instanceof Set) values.add(value);
    else tenant.set(id, values === undefined ? value : new Set([values, value]));
  }

  /** Takes something out. Does nothing when it is not there. */
  take(tenant_id: string, id: string, value: T): void {
    const tenant = this.#tenants.get(tenant_id);
    const values = tenant?.get(id);
    if (values instanceof Set) values.delete(value);
    const isEmpty = values instanceof Set ? values.size === 0 : values === value;
    if (isEmpty) tenant?.delete(id);
    if (tenant?.size === 0) this.#tenants.delete(tenant_id);
  }
}

function valuesOf<T>(values: T | Set<T> | undefined): Iterable<T> {
  if (values === undefined) return [];
  return values instanceof Set ? values : [values];
}
