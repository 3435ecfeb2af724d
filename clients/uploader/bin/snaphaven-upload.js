#!/usr/bin/env node
// The command snaphaven-upload: sends files, shows how far it is, and goes on where an earlier run was cut off.
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Upload, UploadError, fileStore, openFile } from "../node.js";

const HELP = `Usage: snaphaven-upload FILE… --endpoint URL [options]

Uploads files straight to the store, in parts. Run again after a crash, it sends what is missing.

  --endpoint URL        the server, for example https://haven.example.org (or HAVEN_ENDPOINT)
  --description TEXT    of every file
  --tag TAG             of every file; may be repeated
  --content-type TYPE   what the content must turn out to be
  --sha256 HEX          the same of its SHA-256; for one file
  --parallel N          parts under way at once (4)
  --state FOLDER        where unfinished uploads are remembered (~/.local/state/snaphaven)
  --fresh               do not resume an earlier run
  --json                print progress and results as lines of JSON
  --quiet               no progress
  --help

The token comes from HAVEN_TOKEN. Each finished file is a line: SHA-256, id and name.
Exit codes: 0 all are there; 1 some are not; 2 wrong usage; 130 interrupted, run again to go on.`;

const OPTIONS = /** @type {const} */ ({
  endpoint: { type: "string" },
  description: { type: "string" },
  tag: { type: "string", multiple: true },
  "content-type": { type: "string" },
  sha256: { type: "string" },
  parallel: { type: "string" },
  state: { type: "string" },
  fresh: { type: "boolean" },
  json: { type: "boolean" },
  quiet: { type: "boolean" },
  help: { type: "boolean" },
});

const { env, stdout, stderr } = process;

/** Says what is wrong with the arguments, and ends. @param {string} problem @returns {never} */
function usage(problem) {
  stderr.write(`error: ${problem}\nhelp: snaphaven-upload --help\n`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return usage(/** @type {Error} */ (error).message);
  }
}

const { values, positionals: paths } = parse();
if (values.help) {
  stdout.write(`${HELP}\n`);
  process.exit(0);
}

function endpoint() {
  const given = values.endpoint ?? env.HAVEN_ENDPOINT;
  if (!given) return usage("--endpoint is missing");
  if (!URL.canParse(given) || !/^https?:/.test(given)) return usage(`--endpoint ${given} is no http:// or https:// URL`);
  const url = new URL(given);
  if (url.pathname === "/") url.pathname = "/graphql";
  return url.href;
}

if (paths.length === 0) usage("name at least one file");
if (!env.HAVEN_TOKEN) usage("the token is missing; set HAVEN_TOKEN");
if (values.sha256 && paths.length > 1) usage("--sha256 goes with one file");
const parallel = values.parallel === undefined ? undefined : Number(values.parallel);
if (parallel !== undefined && !(Number.isInteger(parallel) && parallel >= 1)) usage("--parallel is a number from 1");
const state = values.state ?? join(env.XDG_STATE_HOME || join(homedir(), ".local", "state"), "snaphaven");

const interrupted = new AbortController();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => interrupted.abort(new UploadError("INTERRUPTED", "Interrupted; run again to go on.")));
}

const mebibytes = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0);

/**
 * Shows the progress of a file: JSON lines, or one line of a terminal.
 * @param {string} name
 * @returns {(progress: import("../index.js").Progress) => void}
 */
function show(name) {
  if (values.json) return (progress) => stdout.write(`${JSON.stringify({ name, ...progress })}\n`);
  if (values.quiet || !stderr.isTTY) return () => {};
  let last = 0;
  return ({ phase, bytesSent, bytesVerified, bytesTotal }) => {
    const now = Date.now();
    if (phase !== "done" && now - last < 100) return;
    last = now;
    const done = phase === "verifying" ? bytesVerified : bytesSent;
    const percent = bytesTotal === 0 ? 100 : Math.floor((100 * done) / bytesTotal);
    const line = `${name}  ${phase} ${percent} %  ${mebibytes(done)} of ${mebibytes(bytesTotal)} MiB`;
    stderr.write(phase === "done" ? "\r\x1b[K" : `\r\x1b[K${line.slice(0, (stderr.columns ?? 80) - 1)}`);
  };
}

/** @param {string} path @param {string} server */
async function send(path, server) {
  const source = await openFile(path);
  try {
    const upload = new Upload(source, {
      endpoint: server,
      token: env.HAVEN_TOKEN,
      description: values.description,
      tags: values.tag,
      contentType: values["content-type"],
      sha256: values.sha256,
      parallel,
      store: values.fresh ? undefined : fileStore(state),
      signal: interrupted.signal,
      onProgress: show(source.name),
    });
    const file = await upload.done();
    stdout.write(values.json ? `${JSON.stringify({ file })}\n` : `${file.sha256}  ${file.id}  ${file.name}\n`);
  } finally {
    await source.close();
  }
}

const server = endpoint();
let failed = false;
for (const path of paths) {
  try {
    await send(path, server);
  } catch (error) {
    const { code = "FAILED", message } = /** @type {Error & { code?: string }} */ (error);
    stderr.write(`${stderr.isTTY ? "\r\x1b[K" : ""}error: ${path}: ${message} (${code})\n`);
    failed = true;
    if (interrupted.signal.aborted) break;
  }
}
process.exitCode = interrupted.signal.aborted ? 130 : failed ? 1 : 0;
