// What the panel's test stands on: a server with people and files on it, a topic for alerts that does as it is told, and a look
// at a page by axe.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { after, before } from "node:test";
import { deflateSync } from "node:zlib";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { Server, binary } from "../../../clients/uploader/test/support.js";

const PASSWORD = "a fox jumps 7 times";
export const NOTES = 230;
/** What axe looks for; the colours once more in dark. */
const LOOKS = /** @type {const} */ ([
  ["light", { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] }],
  ["dark", { type: "rule", values: ["color-contrast"] }],
]);

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  const quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const args = ["--no-sandbox", "--disable-gpu", ...quiet];
  browser = await chromium.launch({ executablePath: process.env.SNAPHAVEN_TEST_CHROMIUM ?? "/usr/bin/chromium", args });
});
after(() => browser?.close());

/** A PNG of one colour, which tells it from the others. @param {number} number */
export function picture(number) {
  const [width, height] = [120, 80];
  const line = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, Buffer.from([number * 20, 120, 255 - number * 20]))]);
  /** @param {string} type @param {Buffer} data */
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => line)));
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

/** @param {Buffer} bytes */
function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * A mutation that takes a file along: what it returns. Errors fail the test.
 * @param {Server} server
 * @param {string} mutation such as "uploadFile"
 * @param {string} returns the fields that are asked for
 * @param {object} input
 * @param {{ name: string, content: string | Buffer }} file
 */
export async function sendFile(server, mutation, returns, input, { name, content }) {
  const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${returns} userErrors { code message } } }`;
  const form = new FormData();
  form.append("operations", JSON.stringify({ query, variables: { input: { ...input, file: null } } }));
  form.append("map", JSON.stringify({ 0: ["variables.input.file"] }));
  form.append("0", new Blob([new Uint8Array(Buffer.from(content))]), name);
  const headers = { authorization: `Bearer ${server.token}` };
  const answer = await (await fetch(server.endpoint, { method: "POST", headers, body: form })).json();
  assert.deepEqual(answer.data?.[mutation].userErrors, [], JSON.stringify(answer));
  return answer.data[mutation];
}

/** @param {Server} server @param {string} name @param {string | Buffer} content @param {string[]} tags */
export async function upload(server, name, content, tags) {
  const { file } = await sendFile(server, "uploadFile", "file { id }", { tags }, { name, content });
  return /** @type {string} */ (file.id);
}

/** Uploads many small files, some at a time. @param {Server} server @param {string[]} names @param {string[]} tags */
export async function uploadAll(server, names, tags) {
  const left = [...names];
  const send = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await upload(server, name, name, tags);
  };
  await Promise.all(Array.from({ length: 6 }, send));
}

/**
 * Stands in for SNS. What it does with an alert: takes it, refuses it for good, fails for now, or holds it until told
 * something else.
 * @typedef {"take" | "refuse" | "fail" | "hold"} Manner
 */
class Topic {
  /** @type {Manner} */
  manner = "take";
  taken = 0;
  /** @type {http.ServerResponse[]} */
  #held = [];
  #server = http.createServer((request, response) => {
    request.resume().once("end", () => {
      if (this.manner === "hold") this.#held.push(response);
      else this.#answer(response);
    });
  });

  /** @param {import("node:test").TestContext} t */
  static async start(t) {
    const topic = new Topic();
    topic.#server.listen(0, "127.0.0.1");
    await once(topic.#server, "listening");
    t.after(() => {
      topic.#server.closeAllConnections();
      topic.#server.close();
    });
    return topic;
  }

  get url() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${port}`;
  }

  /** From now on, and for what is held. @param {Manner} manner */
  will(manner) {
    this.manner = manner;
    for (const response of this.#held.splice(0)) this.#answer(response);
  }

  /** @param {http.ServerResponse} response */
  #answer(response) {
    if (this.manner === "take") {
      this.taken += 1;
      const id = "<PublishResult><MessageId>1</MessageId></PublishResult>";
      return response.writeHead(200, { "content-type": "text/xml" }).end(`<PublishResponse>${id}</PublishResponse>`);
    }
    const [status, code] = this.manner === "refuse" ? [403, "AuthorizationError"] : [503, "ServiceUnavailable"];
    const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>Told to ${this.manner}</Message></Error>`;
    response.writeHead(status, { "content-type": "text/xml" }).end(`<ErrorResponse>${error}</ErrorResponse>`);
  }
}

/** A server with an admin. @param {import("node:test").TestContext} t @param {Record<string, string>} [settings] */
export async function start(t, settings = {}) {
  const topic = await Topic.start(t);
  const url = process.env.SNAPHAVEN_TEST_DATABASE_URL;
  const database = url ? { "database.url": url } : {};
  const server = await Server.start(t, {
    ...database,
    "alerts.sink": "sns",
    "alerts.topic_arn": "arn:aws:sns:eu-central-1:000000000000:alerts",
    "alerts.endpoint": topic.url,
    "alerts.access_key_id": "test",
    "alerts.secret_access_key": "test",
    // What failed once waits while the test looks at it.
    "jobs.backoff_min": "10m",
    "audit.seal_interval": "1s",
    ...settings,
  });
  const sets = Object.entries(database).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  /** @param {string} name */
  const addAdmin = (name) => {
    const made = ["admin", "create", "--username", name, "--email", `${name}@example.org`, "--password-stdin", ...sets];
    const { status, stderr } = spawnSync(binary, [...made, "--data-dir", server.data], { input: `${PASSWORD}\n`, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  };
  addAdmin("admin");
  return { server, topic, addAdmin };
}

/** The same server, as whoever logs in or signs up by that. @param {Server} server @param {string} token */
export const as = (server, token) => Object.assign(new Server(), server, { token });

/** What a mutation returns. Errors fail the test. @param {Server} who @param {string} name @param {string} returns @param {object} input */
export async function mutate(who, name, returns, input) {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${returns} userErrors { message } } }`;
  const payload = (await who.ask(query, { input }))[name];
  assert.deepEqual(payload.userErrors, []);
  return payload;
}

/** Somebody who has an account, logged in. @param {Server} server @param {string} login */
export async function loggedIn(server, login) {
  const query = "mutation ($input: LogInInput!) { logIn(input: $input) { token userErrors { message } } }";
  const { logIn } = await as(server, "").ask(query, { input: { login, password: PASSWORD } });
  assert.deepEqual(logIn.userErrors, []);
  return as(server, logIn.token);
}

/** A server with an admin, and people: one has notes and pictures. @param {import("node:test").TestContext} t */
export async function stage(t) {
  const { server, topic } = await start(t);
  await server.signUp("bob");
  await server.signUp("olga");
  await server.signUp("ada");
  for (let number = 0; number < 8; number += 1) await upload(server, `sky-${number}.png`, picture(number), ["sky"]);
  const notes = Array.from({ length: NOTES }, (_, number) => `note-${String(number).padStart(3, "0")}.txt`);
  await uploadAll(server, notes, ["note"]);
  return { server, topic };
}

/** A page in a context of its own, and what its console complains of. @param {import("node:test").TestContext} t @param {object} options */
export async function open(t, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(15_000);
  await context.addInitScript({ content: axe.source });
  const page = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${page.url()}: ${message.text()}`);
  });
  return { page, complaints };
}

/** @param {import("playwright-core").Page} page @param {string} login @param {string} password */
export async function signIn(page, login, password = PASSWORD) {
  await page.getByLabel("User name or e-mail").fill(login);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Waits for what the page shows, by its text. @param {import("playwright-core").Page} page @param {string | RegExp} text */
export const sees = (page, text) => page.getByText(text).first().waitFor();
/** @param {import("playwright-core").Page} page @param {string} name */
export const row = (page, name) => page.getByRole("row").filter({ hasText: name });

/** @param {() => boolean} done */
export async function until(done) {
  for (let tries = 0; !done(); tries += 1) {
    assert.ok(tries < 300, "in 15 seconds");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Keeps each value that a progress bar has. In the page. */
export function watchProgress() {
  const values = new Set();
  const look = () => {
    const bar = /** @type {HTMLProgressElement | null} */ (document.querySelector("main progress"));
    if (bar) values.add(bar.value);
    Object.assign(window, { progress: [...values] });
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}

/** Waits until the page and its pictures are there. @param {import("playwright-core").Page} page */
async function settled(page) {
  await page.waitForFunction(() => {
    const there = document.querySelector("main")?.innerText.trim() && !/Loading…/.test(document.body.innerText);
    const pictures = [...document.images].every(({ complete, loading }) => complete || loading === "lazy");
    return there && pictures && !document.querySelector("[aria-busy=true]");
  });
}

/** Axe finds nothing, nothing to touch is too small, and the page is no wider than the window. In light, then the colours
 * in dark. @param {import("playwright-core").Page} page @param {string} name */
export async function check(page, name) {
  const folder = process.env.SNAPHAVEN_TEST_SCREENSHOTS;
  for (const [colorScheme, runOnly] of LOOKS) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await settled(page);
    if (folder) await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png` });
    const violations = await page.evaluate(
      async (/** @type {any} */ runOnly) => {
        const found = await /** @type {any} */ (window).axe.run(document, { runOnly, resultTypes: ["violations"] });
        return found.violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ { html }) => html)}`);
      },
      runOnly,
    );
    assert.deepEqual(violations, [], `${name}, ${colorScheme}`);
  }
  const small = await page.evaluate(() => {
    const targets = [...document.querySelectorAll("a, button, input, select, textarea, [role=checkbox]")];
    return targets.flatMap((target) => {
      const { width, height } = (target.closest("label") ?? target).getBoundingClientRect();
      const hidden = !target.checkVisibility({ visibilityProperty: true }) || width <= 1 || getComputedStyle(target).clipPath !== "none";
      // A link within a sentence is as high as its line.
      const inText = target.matches("p > a, dd > a, [role=gridcell] > a") && width >= 8;
      return hidden || inText || (height >= 24 && width >= 24) ? [] : [`${width} × ${height}: ${target.outerHTML}`];
    });
  });
  assert.deepEqual(small, [], `${name}: targets are 24 px at least`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
}
