// Remembering uploads between two visits of a page.

const PREFIX = "snaphaven-upload:";

/**
 * Keeps entries in `localStorage`. Where a page may not use it, or it is full, nothing is kept and nothing breaks: an upload
 * then does not resume by itself.
 * @returns {import("../index.js").Store}
 */
export function localStore() {
  /** @template T @param {(storage: Storage) => T} use */
  const attempt = (use) => {
    try {
      return use(globalThis.localStorage);
    } catch {
      return undefined;
    }
  };
  /** @param {Storage} storage */
  const prune = (storage) => {
    for (const key of Object.keys(storage).filter((key) => key.startsWith(PREFIX))) {
      if (isOld(JSON.parse(storage.getItem(key) ?? "null"))) storage.removeItem(key);
    }
  };
  return {
    async get(key) {
      return attempt((storage) => JSON.parse(storage.getItem(PREFIX + key) ?? "null")) ?? undefined;
    },
    async set(key, entry) {
      attempt(prune);
      attempt((storage) => storage.setItem(PREFIX + key, JSON.stringify(entry)));
    },
    async delete(key) {
      attempt((storage) => storage.removeItem(PREFIX + key));
    },
  };
}

/** Whether the server has given the upload up. @param {import("../index.js").Entry | null | undefined} entry */
export const isOld = (entry) => !entry || Date.parse(entry.expiresAt) < Date.now();
