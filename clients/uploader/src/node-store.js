// Remembering uploads between two runs of a program.
import { randomUUID } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isOld } from "./store.js";

/**
 * Keeps entries in a folder, one small JSON file each, so that several programs may use it at once.
 * @param {string} folder made when it is needed
 * @returns {import("../index.js").Store}
 */
export function fileStore(folder) {
  const path = (/** @type {string} */ key) => join(folder, `${key}.json`);
  /** @param {string} key */
  const read = async (key) => {
    try {
      return JSON.parse(await readFile(path(key), "utf8"));
    } catch (error) {
      // Half a file is none: it was not written by a rename.
      const code = /** @type {NodeJS.ErrnoException} */ (error).code;
      if (code === "ENOENT" || error instanceof SyntaxError) return undefined;
      throw error;
    }
  };
  const prune = async () => {
    for (const name of await readdir(folder)) {
      const key = name.endsWith(".json") ? name.slice(0, -".json".length) : undefined;
      if (key && isOld(await read(key))) await rm(path(key), { force: true });
    }
  };
  return {
    get: read,
    async set(key, entry) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await prune();
      const written = `${path(key)}.${randomUUID()}`;
      await writeFile(written, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
      await rename(written, path(key));
    },
    async delete(key) {
      await rm(path(key), { force: true });
    },
  };
}
