// What is left of an upload that was cut off, and what the next one makes of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, readdir, utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Upload, fileStore, openFile, uploadFile } from "../node.js";
import { command } from "./command.js";
import { PART, behindProxies, folder, randomFile, sha256 } from "./support.js";

/** @param {string[]} passed */
const parts = (passed) => passed.filter((name) => name.startsWith("PUT")).sort();

/**
 * Runs the command with one part at a time until a request is held, and kills it there.
 * @param {string} path
 * @param {{ options: any }} world
 * @param {import("./support.js").Proxy} proxy
 * @param {string} state
 * @param {string} operation
 */
async function killedAt(path, { options }, proxy, state, operation) {
  const held = new Promise((resolve) => (proxy.held = () => resolve(undefined)));
  proxy.fault = (_, name) => (name === operation ? "hold" : undefined);
  const child = command([path, "--endpoint", options.endpoint, "--state", state, "--parallel", "1"], options.token);
  await held;
  child.kill("SIGKILL");
  await once(child, "exit");
  proxy.fault = () => undefined;
}

for (const [operation, door] of /** @type {const} */ ([
  ["createUpload", "app"],
  ["signUploadParts", "app"],
  ["PUT 1", "s3"],
  ["PUT 3", "s3"],
  ["completeUpload", "app"],
])) {
  test(`a process killed at ${operation} is continued by the next`, async (t) => {
    const world = await behindProxies(t);
    const { server, app, s3, options } = world;
    const [file, state] = [await randomFile(t, 2 * PART + 1000), await folder(t)];
    await killedAt(file.path, world, world[door], state, operation);
    assert.equal((await readdir(state)).length, 1);

    /** @type {import("../index.js").Progress[]} */
    const seen = [];
    const already = parts(s3.passed).length * PART - (s3.passed.length === 3 ? PART - 1000 : 0);
    const store = fileStore(state);
    const done = await uploadFile(file.path, { ...options, store, onProgress: (progress) => seen.push(progress) });
    assert.equal(await server.downloaded(done.id), file.sha256);
    assert.deepEqual(parts(s3.passed), ["PUT 1", "PUT 2", "PUT 3"], "no part was sent twice");
    assert.equal(app.passed.filter((name) => name === "createUpload").length, 1, "one session");
    assert.ok(seen.some(({ phase, bytesSent }) => phase === "hashing" && bytesSent === already), "it counts what was there");
    assert.deepEqual(await server.fileNames(), ["content.bin"]);
    assert.deepEqual(await readdir(state), [], "nothing is left to resume");
  });
}

test("a process killed between the request for a session and its answer makes no second one", async (t) => {
  const { server, app, options } = await behindProxies(t);
  const [file, state] = [await randomFile(t, 1000), await folder(t)];
  app.fault = (_, name) => (name === "createUpload" ? "lose" : undefined);
  const child = command([file.path, "--endpoint", options.endpoint, "--state", state], options.token);
  while (app.passed.length === 0) await new Promise((resolve) => setImmediate(resolve));
  child.kill("SIGKILL");
  await once(child, "exit");
  app.fault = () => undefined;
  const [name] = await readdir(state);
  const { idempotencyKey, sessionId } = JSON.parse(await readFile(`${state}/${name}`, "utf8"));
  assert.equal(sessionId, undefined);
  const query = "mutation ($input: CreateUploadInput!) { createUpload(input: $input) { uploadSession { id } } }";
  const { createUpload } = await server.ask(query, { input: { name: "content.bin", size: 1000, idempotencyKey } });

  const source = await openFile(file.path);
  t.after(() => source.close());
  const upload = new Upload(source, { ...options, store: fileStore(state) });
  assert.equal((await upload.done()).sha256, file.sha256);
  assert.equal(upload.sessionId, createUpload.uploadSession.id);
});

test("a process killed while the server verifies finds the finished file", async (t) => {
  const world = await behindProxies(t);
  const { server, app, s3, options } = world;
  const [file, state] = [await randomFile(t, 1000), await folder(t)];
  let completed = false;
  const held = new Promise((resolve) => (app.held = () => resolve(undefined)));
  app.fault = (_, name) => {
    completed ||= name === "completeUpload";
    return completed && name === "uploadSession" ? "hold" : undefined;
  };
  const child = command([file.path, "--endpoint", options.endpoint, "--state", state], options.token);
  await held;
  child.kill("SIGKILL");
  await once(child, "exit");
  app.fault = () => undefined;
  const done = await uploadFile(file.path, { ...options, store: fileStore(state) });
  assert.equal(done.sha256, file.sha256);
  assert.deepEqual(parts(s3.passed), ["PUT 1"]);
  assert.deepEqual(await server.fileNames(), ["content.bin"]);
  // The same file again is a new upload, for it is not unfinished any more.
  const again = await uploadFile(file.path, { ...options, store: fileStore(state) });
  assert.notEqual(again.id, done.id);
});

test("a file that changed under its name is not spliced together", async (t) => {
  const world = await behindProxies(t);
  const { server, s3, options } = world;
  const [file, state] = [await randomFile(t, 2 * PART + 1000), await folder(t)];
  const time = new Date("2026-01-01T00:00:00Z");
  await utimes(file.path, time, time);
  await killedAt(file.path, world, s3, state, "PUT 3");
  assert.deepEqual(parts(s3.passed), ["PUT 1", "PUT 2"]);

  // Other bytes in the first part, as many as before, and as old: nothing but the bytes tells.
  file.bytes.fill(7, 100, 200);
  await writeFile(file.path, file.bytes);
  await utimes(file.path, time, time);
  const done = await uploadFile(file.path, { ...options, store: fileStore(state) });
  assert.equal(await server.downloaded(done.id), sha256(file.bytes));
  assert.deepEqual(parts(s3.passed), ["PUT 1", "PUT 1", "PUT 2", "PUT 3"], "only what differs is sent again");
});

test("a file that is written to while it is sent is refused", async (t) => {
  const { server, options } = await behindProxies(t);
  const file = await randomFile(t, PART + 1000);
  const { httpPut } = await import("../src/node-put.js");
  let written = false;
  const upload = uploadFile(file.path, {
    ...options,
    put: async (url, request) => {
      if (!written) {
        written = true;
        file.bytes.fill(9, 0, 10);
        await writeFile(file.path, file.bytes);
      }
      return httpPut(url, request);
    },
  });
  await assert.rejects(upload, { name: "UploadError", code: "FILE_CHANGED" });
  assert.deepEqual(await server.fileNames(), []);
});

test("a file of another time is another upload, and so is one with another description", async (t) => {
  const world = await behindProxies(t);
  const { app, s3, options } = world;
  const [file, state] = [await randomFile(t, 1000), await folder(t)];
  await killedAt(file.path, world, s3, state, "PUT 1");
  await uploadFile(file.path, { ...options, store: fileStore(state), description: "another" });
  await utimes(file.path, new Date(), new Date());
  await uploadFile(file.path, { ...options, store: fileStore(state) });
  assert.equal(app.passed.filter((name) => name === "createUpload").length, 3);
});

test("another machine goes on by the session's id", async (t) => {
  const { server, s3, options } = await behindProxies(t);
  const file = await randomFile(t, PART + 1000);
  const source = await openFile(file.path);
  t.after(() => source.close());
  const pause = new AbortController();
  s3.held = () => pause.abort();
  s3.fault = (_, name) => (name === "PUT 2" ? "hold" : undefined);
  const first = new Upload(source, { ...options, parallel: 1, signal: pause.signal });
  await assert.rejects(first.done(), { name: "AbortError" });
  assert.equal((await server.session(first.sessionId ?? "")).state, "OPEN", "a pause keeps the session");
  s3.fault = () => undefined;
  const done = await uploadFile(file.path, { ...options, sessionId: first.sessionId });
  assert.equal(await server.downloaded(done.id), file.sha256);
  assert.deepEqual(parts(s3.passed), ["PUT 1", "PUT 2"]);

  const other = await randomFile(t, 5);
  await assert.rejects(uploadFile(other.path, { ...options, sessionId: first.sessionId }), { code: "FILE_CHANGED" });
  await assert.rejects(uploadFile(other.path, { ...options, sessionId: "upload_none" }), { code: "NOT_FOUND" });
});

test("parts that the store has lost are sent again at the completion", async (t) => {
  const { s3, options } = await behindProxies(t);
  const file = await randomFile(t, 2 * PART + 1000);
  let left = 1;
  // It says that it has the part, and does not.
  s3.fault = (_, name) => (name === "PUT 2" && left-- > 0 ? { status: 200 } : undefined);
  const done = await uploadFile(file.path, options);
  assert.equal(done.sha256, file.sha256);
  assert.deepEqual(parts(s3.passed), ["PUT 1", "PUT 2", "PUT 3"]);
  // Without end it is an error.
  s3.fault = (_, name) => (name === "PUT 2" ? { status: 200 } : undefined);
  await assert.rejects(uploadFile(file.path, options), { code: "PARTS_MISSING" });
});

test("an upload that is given up leaves no session and nothing to resume", async (t) => {
  const { server, app, s3, options } = await behindProxies(t);
  const [file, state] = [await randomFile(t, PART + 1000), await folder(t)];
  const source = await openFile(file.path);
  t.after(() => source.close());
  const store = fileStore(state);
  const held = new Promise((resolve) => (s3.held = () => resolve(undefined)));
  s3.fault = (_, name) => (name === "PUT 2" ? "hold" : undefined);
  const upload = new Upload(source, { ...options, store });
  const done = upload.done();
  await held;
  await Promise.all([assert.rejects(done, { name: "UploadError", code: "ABORTED" }), upload.abort()]);
  assert.equal((await server.session(upload.sessionId ?? "")).state, "ABORTED");
  assert.deepEqual(await readdir(state), []);
  await upload.abort();

  // Also where the answer that told the session's id was lost.
  let asked = 0;
  app.fault = (_, name) => (name === "createUpload" && asked++ === 0 ? "lose" : undefined);
  const early = new Upload(source, { ...options, store, retry: { minDelay: 60_000, maxDelay: 60_000 } });
  const lost = early.done();
  while (!app.passed.includes("createUpload") || asked === 0) await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([assert.rejects(lost, { code: "ABORTED" }), early.abort()]);
  assert.deepEqual(app.passed.slice(-2), ["createUpload", "abortUpload"]);
  assert.deepEqual(await readdir(state), []);

  // And one of an earlier run, that only the store knows of.
  s3.fault = (_, name) => (name === "PUT 1" ? "hold" : undefined);
  const pause = new AbortController();
  s3.held = () => pause.abort();
  await assert.rejects(new Upload(source, { ...options, store, signal: pause.signal }).done(), { name: "AbortError" });
  assert.equal((await readdir(state)).length, 1);
  await new Upload(source, { ...options, store }).abort();
  assert.equal(app.passed.at(-1), "abortUpload");
  assert.deepEqual(await readdir(state), []);

  // What is finished cannot be given up.
  s3.fault = () => undefined;
  const finished = new Upload(source, { ...options, store });
  await finished.done();
  await assert.rejects(finished.abort(), { code: "WRONG_STATE" });
});

test("an entry whose session was given up begins anew", async (t) => {
  const world = await behindProxies(t);
  const { server, s3, options } = world;
  const [file, state] = [await randomFile(t, 1000), await folder(t)];
  await killedAt(file.path, world, s3, state, "PUT 1");
  const [name] = await readdir(state);
  const { sessionId } = JSON.parse(await readFile(`${state}/${name}`, "utf8"));
  await server.ask("mutation ($input: AbortUploadInput!) { abortUpload(input: $input) { userErrors { code } } }", {
    input: { id: sessionId },
  });
  assert.equal((await uploadFile(file.path, { ...options, store: fileStore(state) })).sha256, file.sha256);
});
