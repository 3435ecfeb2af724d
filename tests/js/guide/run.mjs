// Runs the examples of one language in docs/frontend-guide.md, exactly as they are printed there, in their order:
//   API=http://127.0.0.1:8080 PHOTO=photo.jpg node run.mjs sh|ts [GUIDE]
// All `sh` blocks are one bash script; all `ts` blocks are one module, checked by tsc and then run.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const [language, guide = join(here, "../../../docs/frontend-guide.md")] = process.argv.slice(2);

/** The lines of the blocks of `language`, with all others left empty: so that line numbers in errors are those of the guide. */
function examples(markdown) {
  let block = null;
  const lines = markdown.split("\n").map((line) => {
    const fence = /^\s*```(\w*)/.exec(line);
    if (!fence) return block === language ? line : "";
    block = block === null ? fence[1] : null;
    return "";
  });
  if (lines.every((line) => line === "")) throw new Error(`${guide} has no blocks of ${language}`);
  return lines.join("\n");
}

/** Whether the program succeeded. */
function run(program, ...args) {
  return spawnSync(program, args, { stdio: "inherit" }).status === 0;
}

const folder = mkdtempSync(join(tmpdir(), "guide-"));
const file = (name) => join(folder, name);
const runs = {
  sh(text) {
    writeFileSync(file("guide.sh"), text);
    return run("bash", "-eu", "-o", "pipefail", file("guide.sh"));
  },
  ts(text) {
    writeFileSync(file("guide.mts"), text);
    writeFileSync(file("tsconfig.json"), JSON.stringify({ extends: join(here, "tsconfig.json"), files: ["guide.mts"] }));
    symlinkSync(join(here, "node_modules"), file("node_modules"));
    return run(join(here, "node_modules/.bin/tsc"), "--project", folder) && run("node", file("guide.mjs"));
  },
};
try {
  process.exitCode = runs[language](examples(readFileSync(guide, "utf8"))) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
