// How far an upload is.

export class Progress {
  /** What S3 has of each part, or what has gone out of it. @type {Map<number, number>} */
  #parts = new Map();
  #listener;
  /** @type {import("../index.js").Progress} */
  #state;

  /**
   * @param {number} bytesTotal
   * @param {((progress: import("../index.js").Progress) => void) | undefined} listener
   */
  constructor(bytesTotal, listener) {
    this.#state = { phase: "hashing", bytesSent: 0, bytesVerified: 0, bytesTotal };
    this.#listener = listener;
  }

  get current() {
    return { ...this.#state };
  }

  /** S3 has so much of a part. @param {number} number @param {number} bytes */
  arrived(number, bytes) {
    this.#tell({ bytesSent: this.#count(number, bytes) });
  }

  /** So much of a part has gone out. @param {number} number @param {number} bytes */
  sending(number, bytes) {
    this.#tell({ phase: "sending", bytesSent: this.#count(number, bytes) });
  }

  /** @param {number} bytesVerified */
  verifying(bytesVerified) {
    this.#tell({ phase: "verifying", bytesSent: this.#state.bytesTotal, bytesVerified });
  }

  done() {
    const { bytesTotal } = this.#state;
    this.#tell({ phase: "done", bytesSent: bytesTotal, bytesVerified: bytesTotal });
  }

  /** @param {number} number @param {number} bytes */
  #count(number, bytes) {
    const before = this.#parts.get(number) ?? 0;
    this.#parts.set(number, bytes);
    return this.#state.bytesSent + bytes - before;
  }

  /** @param {Partial<import("../index.js").Progress>} change */
  #tell(change) {
    Object.assign(this.#state, change);
    this.#listener?.(this.current);
  }
}
