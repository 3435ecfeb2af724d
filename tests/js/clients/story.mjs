// What every client does with the server: the operations, the expectations, and a fetch that counts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const OPERATIONS = Object.fromEntries(
  readFileSync(new URL("operations.graphql", import.meta.url), "utf8")
    .split(/\n(?=(?:query|mutation) )/)
    .map((text) => [/^(?:query|mutation) (\w+)/.exec(text)[1], text.trim()]),
);

// A fetch that adds the token, once there is one, and keeps what was sent and answered.
export function recordingFetch() {
  const seen = [];
  const state = { token: null, seen };
  state.fetch = async (url, options = {}) => {
    const headers = new Headers(options.headers);
    if (state.token) headers.set("authorization", `Bearer ${state.token}`);
    const response = await fetch(url, { ...options, headers });
    seen.push({ method: options.method ?? "GET", status: response.status, type: response.headers.get("content-type") });
    return response;
  };
  return state;
}

// Runs the story. `run(name, variables)` gives the data of an operation and throws its errors; `code(error)` reads a code.
export async function story({ name, run, code, state, file }) {
  const started = state.seen.length;
  await assert.rejects(run("Files", { first: 1 }), (error) => code(error) === "UNAUTHENTICATED");

  const input = { username: name, email: `${name}@example.org`, firstName: "Ada", lastName: "", password: `${name} at sea` };
  const { signUp } = await run("SignUp", { input });
  assert.deepEqual(signUp.userErrors, []);
  state.token = signUp.token;
  const again = await run("SignUp", { input });
  assert.deepEqual(again.signUp.userErrors.map((error) => error.code), ["NAME_TAKEN", "EMAIL_TAKEN"]);

  const uploaded = [];
  for (const [title, text] of [["möwe.txt", "one"], ["beach.txt", "two"], ["sea.txt", "three"]]) {
    const { uploadFile } = await run("UploadFile", { input: { file: file(text, title), tags: ["sea"] } });
    assert.deepEqual(uploadFile.userErrors, []);
    assert.deepEqual([uploadFile.file.name, uploadFile.file.size, uploadFile.file.tags], [title, text.length, ["sea"]]);
    uploaded.push(uploadFile.file);
  }
  const download = await fetch(uploaded[0].downloadUrl.url);
  assert.equal(await download.text(), "one");

  const names = [];
  let after = null;
  for (let pages = 1; ; pages++) {
    const { files } = await run("Files", { first: 2, after });
    assert.equal(files.totalCount, 3);
    names.push(...files.nodes.map((node) => node.name));
    after = files.pageInfo.endCursor;
    if (!files.pageInfo.hasNextPage) {
      assert.equal(pages, 2);
      break;
    }
  }
  assert.deepEqual(names, ["sea.txt", "beach.txt", "möwe.txt"]);

  const [first] = uploaded;
  const edit = { id: first.id, revision: first.revision, name: "gull.txt", metadata: { place: "Sylt" } };
  const { editFile } = await run("EditFile", { input: edit });
  assert.deepEqual([editFile.userErrors, editFile.file.name, editFile.file.metadata], [[], "gull.txt", { place: "Sylt" }]);
  const stale = (await run("EditFile", { input: { ...edit, name: "tern.txt" } })).editFile;
  assert.deepEqual([stale.userErrors[0].code, stale.userErrors[0].field], ["STALE_REVISION", "revision"]);
  assert.equal(stale.file.revision, editFile.file.revision);

  await assert.rejects(run("Files", { first: 101 }), (error) => code(error) === "BAD_USER_INPUT");
  await assert.rejects(run("Files", { first: 1000000 }), (error) => code(error) === "GRAPHQL_VALIDATION_FAILED");

  const ids = uploaded.map((file) => file.id);
  const { trashFiles } = await run("TrashFiles", { input: { ids } });
  assert.deepEqual(trashFiles.files.map((file) => file.state), ["TRASHED", "TRASHED", "TRASHED"]);
  const { purgeFiles } = await run("PurgeFiles", { input: { ids } });
  assert.deepEqual([purgeFiles.userErrors, purgeFiles.purgedIds], [[], ids]);
  assert.equal((await run("Files", { first: 2, counted: true })).files.totalCount, 0);
  const statuses = state.seen.slice(started).map(({ status }) => status);
  assert.ok(statuses.every((status) => status === 200 || status === 400), `${statuses}`);
}
