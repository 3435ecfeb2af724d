// The admin panel in Chromium, on the real server: signing in, finding, selecting, removing, restoring and deleting files, by
// keyboard and pointer; no page with an accessibility violation, in light and dark, wide and narrow, or an error on the console.
// node --test, with SNAPHAVEN_TEST_BINARY built after `npm run build` in admin/. SNAPHAVEN_TEST_SCREENSHOTS names a folder for pictures.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { deflateSync } from "node:zlib";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";
import { Server, binary } from "../../../clients/uploader/test/support.js";

const PASSWORD = "a fox jumps 7 times";
const NOTES = 230;
const WCAG = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"];
const UPLOAD = "mutation ($input: UploadFileInput!) { uploadFile(input: $input) { file { id } userErrors { message } } }";

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  const quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const args = ["--no-sandbox", "--disable-gpu", ...quiet];
  browser = await chromium.launch({ executablePath: process.env.SNAPHAVEN_TEST_CHROMIUM ?? "/usr/bin/chromium", args });
});
after(() => browser?.close());

/** A PNG of one colour, which tells it from the others. @param {number} number */
function picture(number) {
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

/** @param {Server} server @param {string} name @param {string | Buffer} content @param {string[]} tags */
async function upload(server, name, content, tags) {
  const form = new FormData();
  form.append("operations", JSON.stringify({ query: UPLOAD, variables: { input: { file: null, tags } } }));
  form.append("map", JSON.stringify({ 0: ["variables.input.file"] }));
  form.append("0", new Blob([new Uint8Array(Buffer.from(content))]), name);
  const headers = { authorization: `Bearer ${server.token}` };
  const answer = await (await fetch(server.endpoint, { method: "POST", headers, body: form })).json();
  assert.deepEqual(answer.data?.uploadFile.userErrors, [], JSON.stringify(answer));
}

/** A server with an admin, and a person with notes and pictures. @param {import("node:test").TestContext} t */
async function stage(t) {
  const server = await Server.start(t);
  const made = ["admin", "create", "--username", "admin", "--email", "admin@example.org", "--password-stdin"];
  const { status, stderr } = spawnSync(binary, [...made, "--data-dir", server.data], { input: `${PASSWORD}\n`, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  await server.signUp("ada");
  for (let number = 0; number < 8; number += 1) await upload(server, `sky-${number}.png`, picture(number), ["sky"]);
  const numbers = Array.from({ length: NOTES }, (_, number) => number);
  const send = async () => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
      await upload(server, `note-${String(number).padStart(3, "0")}.txt`, `note ${number}`, ["note"]);
    }
  };
  await Promise.all([send(), send(), send(), send()]);
  return server;
}

/** A page in a context of its own, and what its console complains of. @param {import("node:test").TestContext} t @param {object} options */
async function open(t, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(15_000);
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
async function signIn(page, login, password = PASSWORD) {
  await page.getByLabel("User name or e-mail").fill(login);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Waits for what the page shows, by its text. @param {import("playwright-core").Page} page @param {string | RegExp} text */
const sees = (page, text) => page.getByText(text).first().waitFor();
/** @param {import("playwright-core").Page} page @param {string} name */
const row = (page, name) => page.getByRole("row").filter({ hasText: name });

test("the admin panel", async (t) => {
  const server = await stage(t);
  const panel = `${server.app}/admin`;
  const { page, complaints } = await open(t);

  await t.test("who is not signed in comes back to where they were", async () => {
    await page.goto(`${panel}/files?view=table&tags=note`);
    await signIn(page, "admin", "not the password");
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByLabel("User name or e-mail").inputValue(), "admin");
    await signIn(page, "admin");
    await sees(page, `${NOTES} files`);
    assert.match(page.url(), /\/files\?view=table&tags=note$/);
  });

  await t.test("every page of a list is reached by scrolling", async () => {
    const grid = page.getByRole("grid", { name: "Files" });
    await row(page, "note-229.txt").waitFor();
    for (let tries = 0; tries < 200 && (await row(page, "note-000.txt").count()) === 0; tries += 1) {
      await grid.evaluate((element) => element.scrollBy(0, 700));
      await page.waitForFunction(() => document.querySelector("[role=grid]")?.getAttribute("aria-busy") === "false");
    }
    assert.equal(await row(page, "note-000.txt").count(), 1);
    assert.equal(await grid.getAttribute("aria-rowcount"), String(NOTES + 1));
  });

  await t.test("filters are in the address, and chips take them away", async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("sky");
    await page.keyboard.press("Enter");
    await sees(page, "No file meets these filters");
    await page.getByRole("button", { name: "Remove filter Tags: note" }).click();
    await sees(page, "8 files");
    await page.keyboard.press("f");
    await page.getByLabel("Owner").fill("ada");
    await page.getByLabel("At most").fill("many");
    await page.getByRole("button", { name: "Apply" }).click();
    await sees(page, "A size, such as 10 MB");
    await page.getByLabel("At most").fill("1 MB");
    await page.getByRole("button", { name: "Apply" }).click();
    await sees(page, "Owner: ada");
    await page.reload();
    await sees(page, "At most 1.0 MB");
    await sees(page, "8 files");
  });

  await t.test("details show picture, copies and versions", async () => {
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    const details = page.getByRole("complementary", { name: "Details" });
    await details.getByRole("heading", { name: "sky-7.png" }).first().waitFor();
    await details.getByText("eu-central-1").waitFor();
    await details.getByText("eu-west-1").waitFor();
    await details.getByText("1 version").waitFor();
    await page.waitForFunction(() => {
      const picture = /** @type {HTMLImageElement | null} */ (document.querySelector("aside img"));
      return picture?.complete && picture.naturalWidth > 0;
    });
    await page.keyboard.press("j");
    await details.getByRole("heading", { name: "sky-6.png" }).first().waitFor();
    await page.keyboard.press("Escape");
    await details.waitFor({ state: "detached" });
  });

  await t.test("keys and the shift key select", async () => {
    await page.keyboard.press("x");
    await page.keyboard.press("J");
    await page.keyboard.press("J");
    await sees(page, "3 files selected");
    await page.keyboard.press("Escape");
    await page.getByText("3 files selected").waitFor({ state: "detached" });
    const box = (/** @type {string} */ name) => row(page, name).locator("[data-select]");
    await box("sky-5.png").click();
    await box("sky-3.png").click({ modifiers: ["Shift"] });
    await sees(page, "3 files selected");
    assert.equal(await page.getByRole("checkbox", { name: "Select all" }).getAttribute("aria-checked"), "mixed");
  });

  await t.test("three are removed with an alert, and restored", async () => {
    await page.keyboard.press("Delete");
    const dialog = page.getByRole("dialog", { name: "Remove 3 files" });
    await dialog.getByText("For 30 days admins can restore them").waitFor();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await sees(page, "5 files");
    await page.getByRole("link", { name: "Show the alert" }).click();
    const details = page.getByRole("complementary", { name: "Details" });
    await details.getByText("Files removed").first().waitFor();

    await page.keyboard.press("g");
    await page.keyboard.press("t");
    await page.getByRole("radio", { name: "By admins" }).check();
    await sees(page, "3 files");
    await page.getByRole("checkbox", { name: "Select all" }).click();
    await page.getByRole("button", { name: "Restore" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
    await sees(page, "Admins have removed nothing");
    await page.goto(`${panel}/files?view=table&q=sky`);
    await sees(page, "8 files");
  });

  await t.test("deleting for good asks for the words, and leaves the proof", async () => {
    await row(page, "sky-0.png").click();
    const details = page.getByRole("complementary", { name: "Details" });
    await details.getByRole("button", { name: "Delete for good…" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete 1 file for good" });
    const button = dialog.getByRole("button", { name: "Delete for good" });
    assert.equal(await button.isDisabled(), true);
    await dialog.getByLabel("Type").fill("delete 1 file");
    await button.click();
    await sees(page, "7 files");
    await details.getByText("Deleted for good").waitFor();
    await details.getByRole("link", { name: "See the proof" }).click();
    await page.getByRole("grid", { name: "Erasures" }).getByText("Original").waitFor();
  });

  await t.test("the help names the keys of the page", async () => {
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keyboard" });
    await help.getByText("Show details").waitFor();
    assert.equal(await help.getByText("Select or let go").count(), 0, "nothing is selected among erasures");
    await page.keyboard.press("Escape");
  });

  await t.test("no page has an accessibility violation or overflows", async (t) => {
    const storageState = await page.context().storageState();
    const views = { overview: "/", files: "/files", table: "/files?view=table&q=sky", trash: "/trash", users: "/users", erasures: "/erasures", alerts: "/alerts" };
    for (const width of [1440, 390]) {
      for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
        const seen = await open(t, { storageState, colorScheme, viewport: { width, height: 880 } });
        for (const [name, path] of Object.entries({ ...views, "sign-in": "/sign-in", missing: "/nowhere" })) {
          await seen.page.goto(panel + path, { waitUntil: "networkidle" });
          await check(seen.page, `${name}-${width}-${colorScheme}`);
          if (!["table", "users", "erasures", "alerts"].includes(name)) continue;
          await seen.page.keyboard.press("j");
          await seen.page.keyboard.press("Enter");
          await seen.page.getByRole("complementary", { name: "Details" }).waitFor();
          await seen.page.waitForLoadState("networkidle");
          await check(seen.page, `${name}-details-${width}-${colorScheme}`);
        }
        assert.deepEqual(seen.complaints, []);
      }
    }
  });

  await t.test("a session that ends leads to the sign-in, and back", async () => {
    await page.goto(`${panel}/users`);
    await sees(page, "2 users");
    await page.context().clearCookies();
    await page.getByLabel("Search users").fill("ada");
    await sees(page, "Sign in to go on where you were.");
    await signIn(page, "ada");
    await sees(page, "This panel is for admins and operators");
  });

  assert.deepEqual(complaints, []);
});

/** Axe finds nothing, and the page is no wider than the window. @param {import("playwright-core").Page} page @param {string} name */
async function check(page, name) {
  const folder = process.env.SNAPHAVEN_TEST_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
  const { violations } = await new AxeBuilder({ page }).withTags(WCAG).analyze();
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(told, [], name);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
}
