// Whatever breaks once at any step, the file arrives once; what nothing helps against is told by its code.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Upload, UploadError, openFile, uploadFile } from "../node.js";
import { httpPut } from "../src/node-put.js";
import { PART, QUICK, Server, behindProxies, randomFile } from "./support.js";

const STEPS = ["createUpload", "uploadSession", "signUploadParts", "PUT 1", "PUT 2", "completeUpload"];
const error = (/** @type {string} */ code) => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>later</Message></Error>`;

/** @type {[string, import("./support.js").Fault, string[]][]} */
const FAULTS = [
  ["cut off before it arrives", "cut", STEPS],
  ["carried out, but its answer lost", "lose", STEPS],
  ["answered 503", { status: 503, headers: { "retry-after": "0" } }, STEPS],
  ["answered 429", { status: 429, headers: { "retry-after": "0" } }, STEPS],
  ["answered 408", { status: 408 }, STEPS],
  ["answered by a proxy's page", { status: 502, body: "<html>Bad Gateway</html>" }, STEPS],
  ["cut off in the middle", "half", ["PUT 1", "PUT 2"]],
  ["told to slow down", { status: 503, body: error("SlowDown") }, ["PUT 1", "PUT 2"]],
  ["altered on its way", { status: 400, body: error("BadDigest") }, ["PUT 1", "PUT 2"]],
  ["refused", { status: 403, body: error("AccessDenied") }, ["PUT 1", "PUT 2"]],
];

test("every request may fail in every way", async (t) => {
  const { server, app, s3, options } = await behindProxies(t);
  const file = await randomFile(t, PART + 1000);
  let sent = 0;
  for (const [what, fault, steps] of FAULTS) {
    for (const step of steps) {
      await t.test(`${step} is ${what}`, async () => {
        let left = 1;
        const keys = new Set();
        const once = (/** @type {unknown} */ _, /** @type {string} */ name) => (name === step && left-- > 0 ? fault : undefined);
        [app.fault, s3.fault, app.passed, s3.passed] = [once, once, [], []];
        const name = `${++sent}.bin`;
        const spy = async (/** @type {any} */ url, /** @type {any} */ init) => {
          const { input } = JSON.parse(init.body).variables;
          if (input?.idempotencyKey) keys.add(input.idempotencyKey);
          return fetch(url, init);
        };
        const done = await uploadFile(file.path, { ...options, name, fetch: spy });
        assert.equal(left <= 0, true, "the fault was not met");
        assert.deepEqual([done.state, done.sha256], ["ACTIVE", file.sha256]);
        assert.equal(keys.size, 1, "a repeat is told by its key");
      });
    }
  }
  const names = Array.from({ length: sent }, (_, at) => `${at + 1}.bin`).sort();
  assert.deepEqual(await server.fileNames(), names, "each is there once");
});

test("everything fails again and again, a third of all requests", async (t) => {
  const { server, app, s3, options } = await behindProxies(t);
  const file = await randomFile(t, 3 * PART + 1);
  let seed = 7;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const faults = /** @type {import("./support.js").Fault[]} */ (["cut", "lose", { status: 503 }, { status: 500 }]);
  app.fault = s3.fault = () => (random() < 1 / 3 ? faults[Math.floor(random() * faults.length)] : undefined);
  for (const name of ["a", "b", "c", "d"]) {
    const done = await uploadFile(file.path, { ...options, name, retry: { ...QUICK, attempts: 30 } });
    assert.deepEqual([done.state, done.sha256], ["ACTIVE", file.sha256]);
  }
  app.fault = () => undefined;
  assert.deepEqual(await server.fileNames(), ["a", "b", "c", "d"]);
});

test("a URL that has expired is signed again", async (t) => {
  const server = await Server.start(t, { "uploads.part_url_ttl": "1s" });
  const token = await server.signUp("ada");
  const file = await randomFile(t, PART + 1);
  /** @type {number[]} */
  const statuses = [];
  let first = true;
  const done = await uploadFile(file.path, {
    endpoint: server.endpoint,
    token,
    retry: QUICK,
    put: async (url, request) => {
      if (first) {
        first = false;
        // Only time makes a signature old.
        await new Promise((resolve) => setTimeout(resolve, 2_500));
      }
      const answer = await httpPut(url, request);
      statuses.push(answer.status);
      return answer;
    },
  });
  assert.equal(done.sha256, file.sha256);
  assert.deepEqual(statuses.sort(), [200, 200, 403]);
});

test("a part that does not move is sent again", async (t) => {
  const { s3, options } = await behindProxies(t);
  const file = await randomFile(t, 1000);
  let held = 0;
  s3.held = () => held++;
  s3.fault = () => (held === 0 ? "hold" : undefined);
  const done = await uploadFile(file.path, { ...options, stallTimeout: 300 });
  assert.deepEqual([done.sha256, held], [file.sha256, 1]);
});

test("the store's wish to be left alone for a while is honoured", async (t) => {
  const { s3, options } = await behindProxies(t);
  const file = await randomFile(t, 1000);
  let left = 1;
  s3.fault = () => (left-- > 0 ? { status: 503, headers: { "retry-after": "1" } } : undefined);
  const began = performance.now();
  await uploadFile(file.path, options);
  assert.ok(performance.now() - began >= 1_000);
});

test("when nothing helps, the error says what it was and which session it left", async (t) => {
  const { server, app, s3, options } = await behindProxies(t);
  const file = await randomFile(t, PART + 1);
  const retry = { ...QUICK, attempts: 3 };
  /** @param {object} more */
  const fails = async (more = {}) => {
    const error = await uploadFile(file.path, { ...options, retry, ...more }).then(assert.fail, (error) => error);
    assert.ok(error instanceof UploadError, String(error));
    return error;
  };
  s3.fault = () => ({ status: 503, body: error("SlowDown") });
  let failed = await fails();
  assert.deepEqual([failed.code, failed.status], ["PART_REFUSED", 503]);
  assert.match(failed.message, /SlowDown/);
  assert.equal((await server.session(failed.sessionId ?? "")).state, "OPEN");

  let asked = 0;
  s3.fault = (_, name) => (name === "PUT 1" && asked++ >= 0 ? { status: 403, body: error("AccessDenied") } : undefined);
  failed = await fails({ retry: { ...QUICK, attempts: 9 } });
  assert.deepEqual([failed.code, failed.status, asked], ["PART_REFUSED", 403, 4]);

  s3.fault = () => ({ status: 405, body: error("MethodNotAllowed") });
  failed = await fails();
  assert.deepEqual([failed.code, failed.status], ["PART_REFUSED", 405]);

  s3.fault = () => undefined;
  app.fault = (_, name) => (name === "completeUpload" ? "cut" : undefined);
  assert.equal((await fails()).code, "NETWORK");
  app.fault = () => ({ status: 502, body: "<html>" });
  failed = await fails();
  assert.deepEqual([failed.code, failed.status], ["HTTP", 502]);
  app.fault = () => undefined;

  assert.equal((await fails({ token: "nobody's" })).code, "UNAUTHENTICATED");
  assert.equal((await fails({ token: undefined })).code, "UNAUTHENTICATED");
  failed = await fails({ name: "a/b\u0000" });
  assert.deepEqual([failed.code, failed.field], ["INVALID_NAME", "name"]);
  assert.deepEqual(await server.fileNames(), []);
});

test("a content that is not as announced is rejected, and the error says why", async (t) => {
  const { server, options } = await behindProxies(t, { "uploads.max_direct_size": "20 MiB" });
  const file = await randomFile(t, 1000);
  for (const [announced, rejection] of /** @type {const} */ ([
    [{ sha256: "0".repeat(64) }, "WRONG_HASH"],
    [{ contentType: "image/png" }, "WRONG_TYPE"],
  ])) {
    await assert.rejects(uploadFile(file.path, { ...options, ...announced }), { name: "UploadError", code: "REJECTED", rejection });
  }
  const large = await randomFile(t, (20 << 20) + 1);
  await assert.rejects(uploadFile(large.path, options), { code: "TOO_LARGE" });
  assert.deepEqual(await server.fileNames(), []);
});

test("a session that ends meanwhile is told, or was completed by somebody else", async (t) => {
  const { server, s3, options } = await behindProxies(t);
  const file = await randomFile(t, PART + 1);
  const source = await openFile(file.path);
  t.after(() => source.close());
  const other = (/** @type {string} */ name, /** @type {string | undefined} */ id) =>
    server.ask(`mutation ($input: ${name[0].toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { userErrors { code } } }`, { input: { id } });

  const aborted = new Upload(source, {
    ...options,
    parallel: 1,
    put: async (url, request) => {
      await other("abortUpload", aborted.sessionId);
      return httpPut(url, request);
    },
  });
  await assert.rejects(aborted.done(), { code: "SESSION_ENDED" });

  // Whether the store's refusal of that part arrived, or the connection it closed on it, is the store's affair.
  s3.passed = [];
  // Both parts are there, and another process completes it just before this one would.
  const twin = new Upload(source, {
    ...options,
    fetch: async (url, init) => {
      if (String(init?.body).includes("completeUpload")) await other("completeUpload", twin.sessionId);
      return fetch(url, init);
    },
  });
  assert.equal((await twin.done()).sha256, file.sha256);
  assert.deepEqual(await server.fileNames(), ["content.bin"]);
  assert.deepEqual(s3.passed.sort(), ["PUT 1", "PUT 2"]);
});
