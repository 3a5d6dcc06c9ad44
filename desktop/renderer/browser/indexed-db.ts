import type { Cache } from "../../bridge.ts";

const NAME = "porchlight";
const STORE = "kept";

/** A cache in the IndexedDB of the browser. */
export function openIndexedDb(): Cache {
  // It is opened while everything else is still being read.
  let opened: Promise<IDBDatabase> | undefined = open();
  opened.catch(() => {});
  const use = async <T>(
    mode: IDBTransactionMode,
    act: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    const transaction = (await opened).transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    await done(transaction);
    return request.result;
  };
  return {
    get: (key) => use<unknown>("readonly", (store) => store.get(key)),
    put: async (key, value) => {
      if (value === undefined) await use("readwrite", (store) => store.delete(key));
      else await use("readwrite", (store) => store.put(value, key));
    },
    keys: async (prefix) => {
      const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
      return (await use("readonly", (store) => store.getAllKeys(range))).map(String);
    },
    clear: async () => {
      await use<undefined>("readwrite", (store) => store.clear());
    },
  };
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
