// Doing it again: how long to wait between attempts, and when to stop.
import { UploadError } from "./error.js";

/**
 * @typedef {object} RetryOptions
 * @property {number} attempts How often one request is tried.
 * @property {number} minDelay Milliseconds before the second attempt; doubles from there.
 * @property {number} maxDelay Milliseconds; a longer `Retry-After` is honoured up to `MAX_RETRY_AFTER`.
 */

/** @type {RetryOptions} */
export const RETRY = { attempts: 9, minDelay: 500, maxDelay: 30_000 };

const MAX_RETRY_AFTER = 300_000;

/** A failure that may pass by itself. */
export class Passing extends Error {
  /**
   * @param {UploadError} error What it becomes when it does not pass.
   * @param {{ retryAfter?: number, attempts?: number }} [more] Milliseconds that the server asks for; fewer attempts.
   */
  constructor(error, { retryAfter = 0, attempts = Infinity } = {}) {
    super(error.message);
    this.error = error;
    this.retryAfter = retryAfter;
    this.attempts = attempts;
  }
}

/** @param {number} status of HTTP */
export const isPassing = (status) => status === 408 || status === 425 || status === 429 || status >= 500;

/**
 * `Retry-After` in milliseconds (RFC 9110, section 10.2.3: seconds or a date), 0 where there is none.
 * @param {string | null | undefined} value
 */
export function retryAfter(value) {
  if (!value) return 0;
  const seconds = Number(value);
  const wait = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1000;
  return wait > 0 ? Math.min(wait, MAX_RETRY_AFTER) : 0;
}

/**
 * @param {number} time milliseconds
 * @param {AbortSignal} signal
 */
export function sleep(time, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve(undefined);
    }, time);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Runs `attempt` until it succeeds, throws what is not `Passing`, or has been tried often enough. Waits longer each time,
 * with half of it random, so that many clients do not come back at once.
 * @template T
 * @param {RetryOptions} options
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} attempt
 * @returns {Promise<T>}
 */
export async function retrying(options, signal, attempt) {
  for (let tried = 1; ; tried++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Passing)) throw error;
      if (tried >= Math.min(options.attempts, error.attempts)) throw error.error;
      const delay = Math.min(options.maxDelay, options.minDelay * 2 ** (tried - 1));
      await sleep(Math.max(error.retryAfter, delay * (0.5 + Math.random() / 2)), signal);
    }
  }
}

/**
 * @param {string} what
 * @param {unknown} cause
 */
export function unreachable(what, cause) {
  const why = cause instanceof Error ? (/** @type {any} */ (cause).cause?.message ?? cause.message) : String(cause);
  return new Passing(new UploadError("NETWORK", `${what} did not get through: ${why}`, { cause }));
}
