// The uploader in Chromium: from pages of the server's own origin and of another, and through a reload in the middle.
// node --test, with SNAPHAVEN_TEST_BINARY; needs scripts/test-browser.sh and scripts/test-node.sh.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { PART, behindProxies, randomFile } from "../../../clients/uploader/test/support.js";

const ROOT = fileURLToPath(new URL("../../../clients/uploader/", import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>Uploads</title><link rel="icon" href="data:,"><input type="file"><script type="module">
  import { Upload, localStore } from "./index.js";
  window.start = (options) => {
    window.seen = [];
    const onProgress = (progress) => seen.push(progress);
    window.upload = new Upload(document.querySelector("input").files[0], { ...options, store: localStore(), onProgress });
    window.result = upload.done().catch(({ name, code, rejection, message }) => ({ name, code, rejection, message }));
  };
</script>`;

/** A file of the page's folder: its type and content. @param {string} path */
async function content(path) {
  if (path === "") return { contentType: "text/html", body: PAGE };
  assert.match(path, /^(index|src\/[a-z-]+)\.js$/);
  return { contentType: "text/javascript", body: await readFile(ROOT + path, "utf8") };
}

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  const quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const args = ["--no-sandbox", "--disable-gpu", ...quiet];
  browser = await chromium.launch({ executablePath: process.env.SNAPHAVEN_TEST_CHROMIUM ?? "/usr/bin/chromium", args });
});
after(() => browser?.close());

/** A page of an origin of its own. @param {import("node:test").TestContext} t */
async function elsewhere(t) {
  const server = http.createServer(async (request, response) => {
    const { contentType, body } = await content((request.url ?? "/").slice(1));
    response.writeHead(200, { "content-type": contentType }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close() && server.closeAllConnections());
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
}

/** @param {import("node:test").TestContext} t @param {string} url */
async function open(t, url) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.on("pageerror", (error) => t.diagnostic(`page: ${error}`));
  await page.goto(url);
  return page;
}

/** @param {import("playwright-core").Page} page @param {string} path @param {object} options */
async function start(page, path, options) {
  await page.waitForFunction("window.start");
  await page.setInputFiles("input", path);
  await page.evaluate((options) => window.start(options), options);
}

/** @param {import("playwright-core").Page} page */
const result = (page) => page.evaluate(() => window.result);
/** @param {string[]} passed */
const parts = (passed) => passed.filter((name) => name.startsWith("PUT")).sort();

test("a page of another origin uploads, is reloaded in the middle, and goes on", async (t) => {
  const origin = await elsewhere(t);
  const { server, s3, options } = await behindProxies(t, { "server.allowed_origins": `["${origin}"]` });
  const file = await randomFile(t, 3 * PART + 1000);
  const { token, retry } = options;
  const page = await open(t, origin);
  const held = new Promise((resolve) => (s3.held = () => resolve(undefined)));
  s3.fault = (_, name) => (name === "PUT 3" ? "hold" : undefined);
  const given = { endpoint: server.endpoint, token, retry, parallel: 1, description: "from a page" };
  await start(page, file.path, given);
  await held;
  assert.deepEqual(parts(s3.passed), ["PUT 1", "PUT 2"]);
  await page.reload();

  s3.fault = () => undefined;
  await start(page, file.path, given);
  const done = await result(page);
  assert.deepEqual([done.state, done.sha256], ["ACTIVE", file.sha256]);
  assert.equal(await server.downloaded(done.id), file.sha256);
  assert.deepEqual(parts(s3.passed), ["PUT 1", "PUT 2", "PUT 3", "PUT 4"], "no part was sent twice");
  const seen = await page.evaluate(() => window.seen);
  assert.ok(seen.some((/** @type {any} */ { phase, bytesSent }) => phase === "hashing" && bytesSent === 2 * PART));
  assert.equal(seen.at(-1).phase, "done");
  assert.equal(await page.evaluate(() => localStorage.length), 0, "nothing is left to resume");
});

test("a page of the server's own origin uploads by its cookie, several parts at once", async (t) => {
  const { app, s3 } = await behindProxies(t);
  const file = await randomFile(t, 4 * PART + 1);
  app.pages = async (request, response) => {
    const { contentType, body } = await content((request.url ?? "/").slice(1));
    response.writeHead(200, { "content-type": contentType }).end(body);
  };
  const page = await open(t, app.url);
  await page.evaluate(async () => {
    const person = { username: "bob", email: "bob@example.org", firstName: "Bob", lastName: "" };
    const input = { ...person, password: "a fox jumps 7 times", session: "COOKIE" };
    const query = "mutation ($input: SignUpInput!) { signUp(input: $input) { user { id } } }";
    const headers = { "content-type": "application/json" };
    await fetch("/graphql", { method: "POST", headers, body: JSON.stringify({ query, variables: { input } }) });
  });
  // A part that is refused once is signed again, and one that the store is too busy for comes back.
  const once = new Map([["PUT 2", { status: 403 }], ["PUT 3", { status: 503 }]]);
  s3.fault = (request, name) => {
    const fault = once.get(name);
    once.delete(name);
    return fault && { ...fault, headers: { "access-control-allow-origin": request.headers.origin ?? "" } };
  };
  await start(page, file.path, { endpoint: "/graphql", retry: { minDelay: 5, maxDelay: 20 } });
  const done = await result(page);
  assert.deepEqual([done.state, done.sha256, once.size], ["ACTIVE", file.sha256, 0], JSON.stringify(done));

  await start(page, file.path, { endpoint: "/graphql", contentType: "image/png" });
  const rejected = await result(page);
  assert.deepEqual([rejected.name, rejected.code, rejected.rejection], ["UploadError", "REJECTED", "WRONG_TYPE"]);
});

test("a page whose origin is not allowed is told so", async (t) => {
  const origin = await elsewhere(t);
  const { server, options } = await behindProxies(t);
  const file = await randomFile(t, 1000);
  const page = await open(t, origin);
  await start(page, file.path, { endpoint: server.endpoint, token: options.token, retry: { attempts: 2, minDelay: 5 } });
  const { name, code } = await result(page);
  assert.deepEqual([name, code], ["UploadError", "NETWORK"]);
});
