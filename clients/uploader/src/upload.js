// One upload, from the first look for an earlier session to the finished file.
import { Api } from "./api.js";
import { UploadError } from "./error.js";
import { Progress } from "./progress.js";
import { Passing, RETRY, isPassing, retryAfter, retrying, sleep, unreachable } from "./retry.js";
import { isOld } from "./store.js";

const PARALLEL = 4;
/** A part that makes no progress for so long is sent again. */
const STALL = 60_000;
/** How often a part that S3 refuses is signed anew. */
const SIGNATURES = 4;
/** How often a completion may find parts missing. */
const COMPLETIONS = 3;
/** Until the server says when: how long an entry is kept, in milliseconds. */
const KEPT = 7 * 24 * 3600 * 1000;
/** The pause between two looks at a running verification grows to the second. */
const LOOK = [100, 5_000];

/** S3's codes for what may pass although its status does not say so. */
const PASSING = new Set(["BadDigest", "IncompleteBody", "RequestTimeout", "RequestTimeTooSkewed", "SlowDown"]);
/** Codes after which the session knows what became of it. */
const ENDED = new Set(["NO_SUCH_UPLOAD", "NOT_FOUND", "WRONG_STATE"]);

/** @type {Record<string, string>} */
const REJECTIONS = {
  WRONG_HASH: "the content has another SHA-256 than announced",
  WRONG_SIZE: "the content has another size than announced",
  WRONG_TYPE: "the content is of another type than announced",
  ALTERED: "the content changed on its way; send it again",
  FAILED: "the server could not verify it; send it again",
};

/**
 * Sends one file. What S3 has of it already, from an earlier attempt, is compared with the file and not sent again.
 */
export class Upload {
  #source;
  #options;
  #api;
  #progress;
  #stop = new AbortController();
  /** SHA-256 of the parts that this run has read, by number. @type {Map<number, string>} */
  #hashes = new Map();
  /** @type {string | undefined} */
  #key;
  /** @type {import("../index.js").Entry | undefined} */
  #entry;
  #created = false;
  /** @type {string | undefined} */
  #sessionId;
  /** @type {Promise<import("../index.js").UploadedFile> | undefined} */
  #result;

  /**
   * @param {import("../index.js").Source} source
   * @param {import("../index.js").UploadOptions} options
   */
  constructor(source, options) {
    const { put, name = source.name } = options;
    if (!options.endpoint) throw new TypeError("an upload needs the `endpoint`");
    if (!put) throw new TypeError("there is no XMLHttpRequest here: give `put`, or import snaphaven-uploader/node");
    if (!name) throw new TypeError("a Blob has no name: give `name`");
    this.#source = source;
    this.#options = { ...options, name, put, retry: { ...RETRY, ...options.retry } };
    this.#api = new Api(options, this.#options.retry, this.#stop.signal);
    this.#progress = new Progress(source.size, options.onProgress);
  }

  /** Of the session, once there is one: with it, another process or machine can go on. */
  get sessionId() {
    return this.#sessionId;
  }

  get progress() {
    return this.#progress.current;
  }

  /** Starts at the first call; every call gives the same promise. */
  done() {
    this.#result ??= this.#run();
    return this.#result;
  }

  async #run() {
    const { signal } = this.#options;
    const pause = () => this.#stop.abort(signal?.reason);
    if (signal?.aborted) pause();
    signal?.addEventListener("abort", pause, { once: true });
    try {
      if (!globalThis.crypto?.subtle) {
        throw new UploadError("INSECURE_CONTEXT", "Browsers hash on pages of https:// or localhost alone.");
      }
      let session = await this.#open();
      if (session.state === "OPEN") session = await this.#send(session);
      const file = await this.#outcome(session);
      await this.#forget();
      this.#progress.done();
      return file;
    } catch (error) {
      // Whoever fails first says why; the others were only stopped.
      const why = this.#stop.signal.aborted ? this.#stop.signal.reason : error;
      if (why instanceof UploadError) why.sessionId ??= this.#sessionId;
      throw why;
    } finally {
      signal?.removeEventListener("abort", pause);
    }
  }

  /** Gives the upload up: nothing of it stays on the server, and `done()` fails with `ABORTED`. */
  async abort() {
    this.#stop.abort(new UploadError("ABORTED", "The upload was given up.", { sessionId: this.#sessionId }));
    await this.#result?.catch(() => {});
    const api = new Api(this.#options, this.#options.retry, new AbortController().signal);
    const entry = await this.#remembered();
    let id = this.#sessionId ?? this.#options.sessionId ?? entry?.sessionId;
    // It was asked for, and the answer did not come: the key finds it.
    if (!id && this.#created && entry) id = (await api.create(this.#input(entry.idempotencyKey))).id;
    try {
      if (id) await api.abort(id);
    } catch (error) {
      if (!(error instanceof UploadError && error.code === "NOT_FOUND")) throw error;
    }
    await this.#forget();
  }

  /** @param {string} idempotencyKey */
  #input(idempotencyKey) {
    return { ...this.#content(), idempotencyKey };
  }

  /** What the file is to be. */
  #content() {
    const { name, description, tags, metadata, contentType, sha256 } = this.#options;
    return { name, size: this.#source.size, description, tags, metadata, contentType, sha256 };
  }

  /** The session to go on with, or a new one. */
  async #open() {
    const { sessionId, store } = this.#options;
    if (sessionId) {
      const session = await this.#api.session(sessionId);
      if (!session) throw new UploadError("NOT_FOUND", "There is no such upload session.", { sessionId });
      this.#sessionId = session.id;
      if (session.size !== this.#source.size) {
        throw new UploadError("FILE_CHANGED", `The session is for ${session.size} bytes, the file has ${this.#source.size}.`);
      }
      return session;
    }
    const entry = await this.#remembered();
    const earlier = entry && (await this.#earlier(entry));
    if (earlier) return this.#remember(entry, earlier);
    const expiresAt = new Date(Date.now() + KEPT).toISOString();
    this.#entry = { idempotencyKey: crypto.randomUUID(), name: this.#options.name, size: this.#source.size, expiresAt };
    // Before the request: its answer may be lost, and a repeat with the same key makes no second session.
    if (this.#key) await store?.set(this.#key, this.#entry);
    this.#created = true;
    return this.#remember(this.#entry, await this.#api.create(this.#input(this.#entry.idempotencyKey)));
  }

  /** What the store knows of this file. */
  async #remembered() {
    const { store } = this.#options;
    if (this.#entry || !store) return this.#entry;
    this.#key = await this.#fingerprint();
    const entry = this.#key ? await store.get(this.#key) : undefined;
    if (!isOld(entry)) this.#entry = entry;
    return this.#entry;
  }

  async #fingerprint() {
    const { fingerprint, endpoint } = this.#options;
    const { name, size, lastModified } = this.#source;
    // Two blobs of one size are not one file.
    if (fingerprint === undefined && lastModified === undefined) return undefined;
    const text = JSON.stringify([endpoint, fingerprint ?? [name, size, lastModified], this.#content()]);
    return sha256(new TextEncoder().encode(text));
  }

  /** The session of an entry, where it can still become, or has become, an active file. @param {import("../index.js").Entry} entry */
  async #earlier(entry) {
    const find = async () => {
      if (entry.sessionId) return this.#api.session(entry.sessionId);
      this.#created = true;
      return this.#api.create(this.#input(entry.idempotencyKey));
    };
    let session;
    try {
      session = await find();
    } catch (error) {
      if (error instanceof UploadError && (error.code === "IDEMPOTENCY_KEY_REUSED" || ENDED.has(error.code))) return null;
      throw error;
    }
    const goesOn = session?.state === "OPEN" || session?.state === "VERIFYING";
    return goesOn || session?.file?.state === "ACTIVE" ? session : null;
  }

  /**
   * @param {import("../index.js").Entry} entry
   * @param {any} session
   */
  async #remember(entry, session) {
    this.#sessionId = session.id;
    this.#entry = { ...entry, sessionId: session.id, expiresAt: session.expiresAt };
    if (this.#key) await this.#options.store?.set(this.#key, this.#entry);
    return session;
  }

  async #forget() {
    if (this.#key) await this.#options.store?.delete(this.#key);
  }

  /** Sends what is missing and completes; the session after that. @param {any} session */
  async #send(session) {
    try {
      for (let tried = 1; ; tried++) {
        await this.#sendParts(session, await this.#api.parts(session.id));
        if (this.#source.unchanged && !(await this.#source.unchanged())) {
          throw new UploadError("FILE_CHANGED", "The file changed while it was sent. Send it again.");
        }
        try {
          return await this.#api.complete(session.id);
        } catch (error) {
          const missing = error instanceof UploadError && error.code === "PARTS_MISSING";
          if (!missing || tried === COMPLETIONS) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof UploadError && ENDED.has(error.code))) throw error;
      // Perhaps somebody else has completed it.
      const now = await this.#api.session(session.id);
      if (!now || now.state === "OPEN") throw error;
      return now;
    }
  }

  /**
   * Reads every part that this run has not, and sends those that S3 does not have like this.
   * @param {any} session
   * @param {Map<number, { size: number, sha256: string | null }>} listed
   */
  async #sendParts({ id, partSize, partCount }, listed) {
    const numbers = Array.from({ length: partCount }, (_, at) => at + 1);
    const sizeOf = (/** @type {number} */ number) => Math.min(partSize, this.#source.size - (number - 1) * partSize);
    for (const number of numbers) {
      const there = listed.get(number);
      this.#progress.arrived(number, there?.size === sizeOf(number) ? there.size : 0);
    }
    const isKnown = (/** @type {number} */ number) => {
      const [hash, there] = [this.#hashes.get(number), listed.get(number)];
      // A store may not tell.
      return hash !== undefined && there?.size === sizeOf(number) && (there.sha256 ?? hash) === hash;
    };
    const waiting = numbers.filter((number) => !isKnown(number));
    // First those that need only be compared.
    waiting.sort((a, b) => Number(listed.has(b)) - Number(listed.has(a)) || a - b);
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, stop.signal]);
    const work = async () => {
      /** @type {Uint8Array | undefined} */
      let buffer;
      for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
        signal.throwIfAborted();
        buffer = await this.#read((number - 1) * partSize, sizeOf(number), buffer);
        const hash = await sha256(buffer);
        this.#hashes.set(number, hash);
        const there = listed.get(number);
        if (there?.size === buffer.length && there.sha256 === hash) this.#progress.arrived(number, there.size);
        else await this.#put(id, number, buffer, hash, signal);
      }
    };
    const parallel = Math.max(1, Math.min(this.#options.parallel ?? PARALLEL, waiting.length));
    const workers = Array.from({ length: parallel }, async () => {
      try {
        await work();
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(workers);
    if (stop.signal.aborted) throw stop.signal.reason;
  }

  /**
   * Bytes of the file, into the buffer of the part before where the source can.
   * @param {number} from
   * @param {number} size
   * @param {Uint8Array | undefined} buffer
   */
  async #read(from, size, buffer) {
    const { read } = this.#source;
    let bytes;
    try {
      if (read) {
        const room = buffer && buffer.buffer.byteLength >= size ? new Uint8Array(buffer.buffer, 0, size) : new Uint8Array(size);
        bytes = await read.call(this.#source, from, room);
      } else {
        bytes = new Uint8Array(await this.#source.slice(from, from + size).arrayBuffer());
      }
    } catch (cause) {
      throw new UploadError("FILE_UNREADABLE", "The file cannot be read; it was changed, moved or removed.", { cause });
    }
    if (bytes.length !== size) throw new UploadError("FILE_CHANGED", "The file became shorter while it was sent.");
    return bytes;
  }

  /**
   * Sends a part until it has arrived, signed anew for each attempt: a URL may have expired.
   * @param {string} id
   * @param {number} number
   * @param {Uint8Array} bytes
   * @param {string} hash
   * @param {AbortSignal} signal
   */
  async #put(id, number, bytes, hash, signal) {
    await retrying(this.#options.retry, signal, async () => {
      const { url, headers } = await this.#api.sign(id, number, hash);
      this.#progress.sending(number, 0);
      try {
        expectTaken(number, await this.#attempt(number, url, headers, bytes, signal));
      } catch (error) {
        this.#progress.sending(number, 0);
        throw error;
      }
    });
    this.#progress.sending(number, bytes.length);
  }

  /**
   * @param {number} number
   * @param {string} url
   * @param {{ name: string, value: string }[]} headers
   * @param {Uint8Array} body
   * @param {AbortSignal} signal
   */
  async #attempt(number, url, headers, body, signal) {
    const { put, stallTimeout = STALL } = this.#options;
    const stall = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => stall.abort(new Error(`nothing moved for ${stallTimeout / 1000} s`)), stallTimeout);
    };
    alive();
    let over = false;
    const onSent = (/** @type {number} */ sent) => {
      // An answer may come before all has gone out.
      if (over) return;
      alive();
      this.#progress.sending(number, Math.min(sent, body.length));
    };
    try {
      return await put(url, { headers, body, onSent, signal: AbortSignal.any([signal, stall.signal]) });
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(`part ${number}`, error);
    } finally {
      over = true;
      clearTimeout(timer);
    }
  }

  /** Waits until the server has verified it. @param {any} session */
  async #outcome(session) {
    const began = Date.now();
    for (;;) {
      switch (session?.state) {
        case "COMPLETED":
          if (session.file) return session.file;
          throw new UploadError("NOT_FOUND", "The file was deleted.");
        case "VERIFYING":
          break;
        case "REJECTED": {
          await this.#forget();
          const { rejection } = session;
          throw new UploadError("REJECTED", `The file was rejected: ${REJECTIONS[rejection] ?? rejection}.`, { rejection });
        }
        case "ABORTED":
        case "EXPIRED":
          await this.#forget();
          throw new UploadError("SESSION_ENDED", "The upload was given up. Begin a new one.");
        default:
          await this.#forget();
          throw new UploadError("NOT_FOUND", "The upload is gone; its file was purged.");
      }
      this.#progress.verifying(session.verifiedSize);
      const [least, most] = LOOK;
      await sleep(Math.max(least, Math.min(most, (Date.now() - began) / 10)), this.#stop.signal);
      session = await this.#api.session(session.id);
    }
  }
}

/**
 * Throws unless S3 took the part.
 * @param {number} number
 * @param {import("../index.js").PutAnswer} answer
 */
function expectTaken(number, { status, text, retryAfter: wait }) {
  if (status >= 200 && status < 300) return;
  const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1] ?? "";
  const told = `S3 refused part ${number}: ${status} ${code}`.trimEnd();
  if (status === 404) throw new UploadError("NO_SUCH_UPLOAD", told, { status });
  const error = new UploadError("PART_REFUSED", told, { status });
  if (status === 403) throw new Passing(error, { attempts: SIGNATURES });
  if (isPassing(status) || PASSING.has(code)) throw new Passing(error, { retryAfter: retryAfter(wait) });
  throw error;
}

/** @param {Uint8Array} bytes */
async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {Uint8Array<ArrayBuffer>} */ (bytes)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
