// The uploader's types: its own sources hold to them, and an application compiles with them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("the uploader's sources and an application hold to its types", () => {
  const folder = fileURLToPath(new URL(".", import.meta.url));
  const { status, stdout } = spawnSync(`${folder}/node_modules/.bin/tsc`, ["--project", folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
