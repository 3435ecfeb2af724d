// Files of every size, as they arrive when nothing goes wrong.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Upload as PageUpload } from "../index.js";
import { Upload, openFile, uploadFile } from "../node.js";
import { PART, Server, randomFile, sha256 } from "./support.js";

test("a file arrives byte for byte, whatever its size", async (t) => {
  const server = await Server.start(t);
  const token = await server.signUp("ada");
  for (const size of [0, 1, 1000, PART, PART + 1, 2 * PART + 12_345]) {
    const file = await randomFile(t, size, `${size}.bin`);
    /** @type {import("../index.js").Progress[]} */
    const seen = [];
    const done = await uploadFile(file.path, {
      endpoint: server.endpoint,
      token: () => token,
      description: "of random bytes",
      tags: ["random"],
      metadata: { size },
      sha256: file.sha256,
      contentType: "application/octet-stream",
      onProgress: (progress) => seen.push(progress),
    });
    assert.deepEqual([done.name, done.state, done.size, done.sha256], [`${size}.bin`, "ACTIVE", size, file.sha256]);
    assert.equal(await server.downloaded(done.id), file.sha256);
    const query = "query ($id: ID!) { node(id: $id) { ... on File { description tags metadata } } }";
    const { node } = await server.ask(query, { id: done.id });
    assert.deepEqual(node, { description: "of random bytes", tags: ["random"], metadata: { size } });

    for (const [at, { bytesSent, bytesVerified, bytesTotal }] of seen.entries()) {
      const before = seen[Math.max(0, at - 1)];
      assert.ok(bytesTotal === size && bytesSent >= before.bytesSent && bytesVerified >= before.bytesVerified);
    }
    const phases = seen.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1]);
    assert.deepEqual(phases, ["hashing", "sending", "verifying", "done"]);
    assert.deepEqual(seen.at(-1), { phase: "done", bytesSent: size, bytesVerified: size, bytesTotal: size });
  }
});

test("at most so many parts are under way, each in its own memory", async (t) => {
  const server = await Server.start(t);
  const token = await server.signUp("ada");
  const file = await randomFile(t, 5 * PART + 1);
  const source = await openFile(file.path);
  t.after(() => source.close());
  const { httpPut } = await import("../src/node-put.js");
  let [now, most] = [0, 0];
  const buffers = new Set();
  const upload = new Upload(source, {
    endpoint: server.endpoint,
    token,
    parallel: 2,
    put: async (url, request) => {
      most = Math.max(most, ++now);
      buffers.add(request.body.buffer);
      const answer = await httpPut(url, request);
      now--;
      return answer;
    },
  });
  assert.equal((await upload.done()).sha256, file.sha256);
  assert.deepEqual([most, buffers.size], [2, 2]);
});

test("a Blob needs a name, and is read slice by slice", async (t) => {
  const server = await Server.start(t);
  const token = await server.signUp("ada");
  const { httpPut } = await import("../src/node-put.js");
  const bytes = randomBytes(PART + 7);
  const options = { endpoint: server.endpoint, token, put: httpPut };
  assert.throws(() => new PageUpload(new Blob([bytes]), options), /give `name`/);
  assert.throws(() => new PageUpload(new Blob([bytes]), { ...options, name: "a", put: undefined }), /give `put`/);
  const file = await new PageUpload(new Blob([bytes]), { ...options, name: "a.bin" }).done();
  assert.deepEqual([file.name, file.sha256], ["a.bin", sha256(bytes)]);
});
