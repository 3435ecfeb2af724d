// Small pieces that need no server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { UploadError, localStore } from "../index.js";
import { fileStore } from "../node.js";
import { Passing, retryAfter, retrying } from "../src/retry.js";
import { folder } from "./support.js";

const signal = new AbortController().signal;
const passing = (/** @type {object} */ more = {}) => new Passing(new UploadError("HTTP", "later"), more);

test("waits grow, within their bounds, and end with the error", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let tried = 0;
  const options = { attempts: 5, minDelay: 100, maxDelay: 300 };
  /** @type {number[]} */
  const waits = [];
  const end = retrying(options, signal, async () => {
    tried++;
    throw passing();
  }).catch((error) => error);
  for (const [least, most] of [[50, 100], [100, 200], [150, 300], [150, 300]]) {
    const before = tried;
    let waited = 0;
    // A turn for the attempt, then a millisecond at a time.
    for (; tried === before; waited++) {
      for (let turn = 0; turn < 10; turn++) await null;
      t.mock.timers.tick(1);
      for (let turn = 0; turn < 10; turn++) await null;
    }
    waits.push(waited);
    assert.ok(waited >= least && waited <= most + 1, `${waits}`);
  }
  assert.equal((await end).code, "HTTP");
  assert.equal(tried, 5);
});

test("what does not pass is thrown at once, and an abort ends a wait", async () => {
  let tried = 0;
  const options = { attempts: 5, minDelay: 60_000, maxDelay: 60_000 };
  await assert.rejects(retrying(options, signal, async () => Promise.reject(new UploadError("TOO_LARGE", `${++tried}`))), { code: "TOO_LARGE" });
  assert.equal(tried, 1);
  const stop = new AbortController();
  const waiting = retrying(options, stop.signal, async () => Promise.reject(passing()));
  stop.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

test("Retry-After is seconds or a date", () => {
  assert.equal(retryAfter("3"), 3_000);
  assert.equal(retryAfter(null), 0);
  assert.equal(retryAfter("soon"), 0);
  assert.equal(retryAfter("86400"), 300_000);
  const wait = retryAfter(new Date(Date.now() + 10_000).toUTCString());
  assert.ok(wait > 8_000 && wait <= 10_000);
});

/** Enough of `Storage`. */
function storage() {
  const entries = /** @type {Record<string, any>} */ ({});
  return Object.defineProperties(entries, {
    getItem: { value: (/** @type {string} */ key) => entries[key] ?? null },
    setItem: { value: (/** @type {string} */ key, /** @type {string} */ text) => (entries[key] = text) },
    removeItem: { value: (/** @type {string} */ key) => delete entries[key] },
  });
}

test("both stores keep entries until they are deleted or old", async (t) => {
  const kept = storage();
  Object.defineProperty(globalThis, "localStorage", { value: kept, configurable: true });
  for (const store of [localStore(), fileStore(await folder(t))]) {
    const entry = (/** @type {number} */ days) => ({
      idempotencyKey: "k",
      name: "a",
      size: 1,
      expiresAt: new Date(Date.now() + days * 86_400_000).toISOString(),
    });
    assert.equal(await store.get("a"), undefined);
    const [fresh, old] = [entry(1), entry(-1)];
    await store.set("old", old);
    await store.set("a", fresh);
    assert.deepEqual([await store.get("a"), await store.get("old")], [fresh, undefined], "an old one goes with the next");
    await store.delete("a");
    await store.delete("a");
    assert.equal(await store.get("a"), undefined);
  }
  // A page without storage works, and forgets.
  Object.defineProperty(globalThis, "localStorage", { get: () => assert.fail("SecurityError"), configurable: true });
  await localStore().set("a", { idempotencyKey: "k", name: "a", size: 1, expiresAt: "" });
  assert.equal(await localStore().get("a"), undefined);
});
