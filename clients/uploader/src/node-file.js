// Files on disk as sources of uploads.
import { open } from "node:fs/promises";
import { basename, resolve } from "node:path";

/** @typedef {import("node:fs/promises").FileHandle} FileHandle */

/** A file as browsers' `File`, which also reads into a buffer, and notices that it was changed. */
class DiskFile {
  #handle;
  #known;

  /**
   * @param {string} path
   * @param {FileHandle} handle
   * @param {import("node:fs").BigIntStats} known
   */
  constructor(path, handle, known) {
    this.#handle = handle;
    this.#known = known;
    this.path = resolve(path);
    this.name = basename(this.path);
    this.size = Number(known.size);
    this.lastModified = Number(known.mtimeMs);
  }

  /** @param {number} from @param {number} to */
  slice(from, to) {
    return {
      arrayBuffer: async () => {
        const room = new Uint8Array(Math.min(to, this.size) - from);
        const { byteLength } = await this.read(from, room);
        return room.buffer.slice(0, byteLength);
      },
    };
  }

  /** @param {number} from @param {Uint8Array} room */
  async read(from, room) {
    let filled = 0;
    while (filled < room.length) {
      const { bytesRead } = await this.#handle.read(room, filled, room.length - filled, from + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return room.subarray(0, filled);
  }

  async unchanged() {
    const { size, mtimeNs } = await this.#handle.stat({ bigint: true });
    return size === this.#known.size && mtimeNs === this.#known.mtimeNs;
  }

  close() {
    return this.#handle.close();
  }
}

/**
 * Opens a file to upload it; close it afterwards.
 * @param {string} path
 */
export async function openFile(path) {
  const handle = await open(path);
  try {
    const known = await handle.stat({ bigint: true });
    if (!known.isFile()) throw Object.assign(new Error(`${path} is not a file`), { code: "EISDIR" });
    return new DiskFile(path, handle, known);
  } catch (error) {
    await handle.close();
    throw error;
  }
}
