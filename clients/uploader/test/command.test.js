// The command: what it prints, what it remembers, how it ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { command, run } from "./command.js";
import { PART, behindProxies, folder, randomFile } from "./support.js";

test("it uploads files and prints what they became", async (t) => {
  const { server, options } = await behindProxies(t);
  const [one, two, state] = [await randomFile(t, 1000, "one.bin"), await randomFile(t, PART + 1, "two.bin"), await folder(t)];
  // The server's address alone will do.
  const more = ["--endpoint", new URL(options.endpoint).origin, "--state", state, "--tag", "a", "--tag", "b"];
  const { code, said, complained } = await run([one.path, two.path, ...more], options.token);
  assert.deepEqual([code, complained], [0, ""]);
  assert.match(said, new RegExp(`^${one.sha256}  file_\\w+  one\\.bin\n${two.sha256}  file_\\w+  two\\.bin\n$`));
  const { files } = await server.ask("{ files { nodes { name tags } } }");
  assert.deepEqual(files.nodes.map((/** @type {any} */ file) => file.tags), [["a", "b"], ["a", "b"]]);

  const json = await run([one.path, ...more, "--json"], options.token);
  const lines = json.said.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.at(-1).file.sha256, one.sha256);
  assert.deepEqual([lines.at(-2).phase, lines.at(-2).bytesSent], ["done", 1000]);
});

test("wrong usage is 2, a file that fails is 1 and the others are sent", async (t) => {
  const { server, options } = await behindProxies(t);
  const [file, state] = [await randomFile(t, 1000), await folder(t)];
  const good = ["--endpoint", options.endpoint, "--state", state];
  for (const [args, token, problem] of /** @type {[string[], string | undefined, RegExp][]} */ ([
    [good, "t", /name at least one file/],
    [[file.path], "t", /--endpoint is missing/],
    [[file.path, "--endpoint", "ftp://x"], "t", /no http/],
    [[file.path, ...good], undefined, /set HAVEN_TOKEN/],
    [[file.path, ...good, "--parallel", "0"], "t", /--parallel/],
    [[file.path, ...good, "--colour"], "t", /--colour/],
  ])) {
    const { code, complained } = await run(args, token);
    assert.equal(code, 2, complained);
    assert.match(complained, problem);
  }
  assert.equal((await run(["--help"])).code, 0);

  const { code, said, complained } = await run(["/does/not/exist", file.path, ...good], options.token);
  assert.equal(code, 1);
  assert.match(complained, /error: \/does\/not\/exist: .*\(ENOENT\)/);
  assert.match(said, new RegExp(file.sha256));
  const denied = await run([file.path, ...good], "nobody's");
  assert.deepEqual([denied.code, /UNAUTHENTICATED/.test(denied.complained)], [1, true]);
  const rejected = await run([file.path, ...good, "--sha256", "0".repeat(64)], options.token);
  assert.deepEqual([rejected.code, /another SHA-256/.test(rejected.complained)], [1, true]);
  assert.deepEqual(await server.fileNames(), ["content.bin"]);
});

test("interrupted, it says that it can go on", async (t) => {
  const { s3, options } = await behindProxies(t);
  const [file, state] = [await randomFile(t, PART + 1000), await folder(t)];
  const held = new Promise((resolve) => (s3.held = () => resolve(undefined)));
  s3.fault = (_, name) => (name === "PUT 2" ? "hold" : undefined);
  const child = command([file.path, "--endpoint", options.endpoint, "--state", state, "--parallel", "1"], options.token);
  const complained = text(child.stderr);
  await held;
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [130, null]);
  assert.match(await complained, /run again to go on/);
  s3.fault = () => undefined;
  const again = await run([file.path, "--endpoint", options.endpoint, "--state", state], options.token);
  assert.equal(again.code, 0);
  assert.deepEqual(s3.passed.filter((name) => name.startsWith("PUT")), ["PUT 1", "PUT 2"]);
  assert.deepEqual(await readdir(state), []);
});
