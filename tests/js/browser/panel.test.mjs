// The admin panel in Chromium, on the real server: finding, selecting, removing with a reason, restoring and deleting files;
// suspending people and giving roles; jobs, alerts and the audit log, by keyboard and pointer. No page has an accessibility
// violation, in light and dark, wide and narrow, or an error on the console.
// node --test, with SNAPHAVEN_TEST_BINARY built after `npm run build` in admin/. SNAPHAVEN_TEST_DATABASE_URL names a database
// other than SQLite, and SNAPHAVEN_TEST_SCREENSHOTS a folder for pictures.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { NOTES, check, open, row, sees, signIn, stage, until } from "./panel.mjs";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
/** What a browser has to read before it shows anything. */
const ENTRY_BYTES = 150_000;
const FILE_STATES = "{ files(first: 20, filter: { state: REMOVED }) { nodes { name removal { reason by { id } } } } }";

/** Name, address, and whether its list has a row to open. */
const VIEWS = /** @type {const} */ ([
  ["overview", "/", false],
  ["files", "/files", false],
  ["table", "/files?view=table&q=sky", true],
  ["trash", "/trash", true],
  ["users", "/users", true],
  ["replication", "/replication", false],
  ["jobs", "/jobs", true],
  ["jobs-waiting", "/jobs?state=WAITING", false],
  ["alerts", "/alerts", true],
  ["erasures", "/erasures", true],
  ["audit", "/audit?from=2020-01-01", true],
  ["sign-in", "/sign-in", false],
  ["missing", "/nowhere", false],
]);

test("the admin panel", async (t) => {
  const { server, topic } = await stage(t);
  const panel = `${server.app}/admin`;
  const { page, complaints } = await open(t);
  const details = page.getByRole("complementary", { name: "Details" });
  const dialog = page.getByRole("dialog");
  /** A row of the page's table, opened. @param {string | RegExp} text */
  const inspect = (text) => page.getByRole("row").filter({ hasText: text }).first().click();

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
    await details.getByRole("heading", { name: "sky-7.png" }).first().waitFor();
    await details.getByText("eu-central-1").waitFor();
    await details.getByText(/^eu-west-1/).waitFor();
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

  await t.test("three are removed with a reason that their owner reads, an alert tells, and the audit log keeps", async () => {
    topic.will("refuse");
    await page.keyboard.press("Delete");
    await dialog.getByText("They can be restored for 30 days").waitFor();
    await dialog.getByRole("button", { name: "Remove" }).click();
    assert.equal(await dialog.getByLabel("Reason").evaluate((field) => field.matches(":invalid")), true, "it is required");
    await dialog.getByRole("button", { name: "Copyright" }).click();
    await dialog.getByLabel("Reason").press("End");
    await dialog.getByLabel("Reason").pressSequentially(", by its maker");
    await check(page, "remove");
    await dialog.getByRole("button", { name: "Remove" }).click();
    await sees(page, "5 files");
    const { files } = await server.ask(FILE_STATES);
    assert.deepEqual(new Set(files.nodes.map(({ removal }) => removal.reason)), new Set(["Copyright, by its maker"]));
    await page.getByRole("link", { name: "Show the alert" }).click();
    await details.getByText("Files removed").first().waitFor();
    await details.getByRole("link", { name: "admin" }).waitFor();

    await page.goto(`${panel}/trash?state=REMOVED`);
    await sees(page, "3 files");
    await inspect("sky-4.png");
    await details.getByText("Copyright, by its maker").first().waitFor();
    await details.getByRole("link", { name: "Removed a file" }).click();
    await sees(page, "1 entry");
    await details.getByText("file.removed").first().waitFor();
    // Soon, and without a touch.
    await details.getByText("Sealed", { exact: true }).nth(1).waitFor();
  });

  await t.test("what was removed is restored, from its details and from the trash", async () => {
    await details.getByRole("link", { name: "sky-4.png" }).click();
    await details.getByRole("button", { name: "Restore" }).click();
    await dialog.getByRole("button", { name: "Restore" }).click();
    await details.getByText("Active").waitFor();
    await details.getByRole("link", { name: "Restored a file" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("t");
    await page.getByRole("radio", { name: "By admins" }).check();
    await sees(page, "2 files");
    await page.getByRole("checkbox", { name: "Select all" }).click();
    await page.getByRole("button", { name: "Restore" }).click();
    await dialog.getByRole("button", { name: "Restore" }).click();
    await sees(page, "Admins have removed nothing");
    await page.goto(`${panel}/files?view=table&q=sky`);
    await sees(page, "8 files");
  });

  await t.test("deleting for good asks for the words, and leaves the proof", async () => {
    await inspect("sky-0.png");
    await details.getByRole("button", { name: "Delete for good…" }).click();
    const button = dialog.getByRole("button", { name: "Delete for good" });
    assert.equal(await button.isDisabled(), true);
    await dialog.getByLabel("Type").fill("delete 1 file");
    await button.click();
    await sees(page, "7 files");
    await details.getByText("It was deleted for good").waitFor();
    const download = page.waitForEvent("download");
    await details.getByRole("button", { name: "Download receipt" }).click();
    const receipt = await (await download).path();
    const { status, stdout } = spawnSync("scripts/verify-receipt", [receipt], { cwd: repository, encoding: "utf8" });
    assert.equal(status, 0);
    assert.match(stdout, /VERIFIED: file_/);
    await sees(page, "Receipt saved");
    await check(page, "receipt-1440");
    await details.getByRole("link", { name: "See the proof" }).click();
    await page.getByRole("grid", { name: "Erasures" }).getByText("Original").waitFor();
  });

  await t.test("the help names the keys of the page", async () => {
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keyboard" });
    await help.getByText("Show details").waitFor();
    await check(page, "help");
    assert.equal(await help.getByText("Select or let go").count(), 0, "nothing is selected among erasures");
    const keys = await help.locator("dt").allInnerTexts();
    assert.equal(new Set(keys).size, keys.length, `a key does one thing: ${keys}`);
    await page.keyboard.press("Escape");
  });

  await t.test("alerts that failed are delivered again, and the jobs behind them retried", async () => {
    await page.goto(`${panel}/alerts`);
    const failed = page.getByRole("row").filter({ hasText: "Failed" });
    await failed.nth(1).waitFor();
    assert.equal(await failed.count(), 2, "the removal and the deletion");
    await failed.first().click();
    await details.getByText("Told to refuse").first().waitFor();
    topic.will("take");
    await details.getByRole("button", { name: "Deliver again" }).click();
    await sees(page, "The alert is on its way");
    await until(() => topic.taken === 1);
    // Without a touch: what is pending is read again.
    await details.getByText("Delivered").nth(1).waitFor();

    await page.goto(panel);
    await page.getByRole("link", { name: "1 job failed for good" }).click();
    await inspect("alerts.deliver");
    await details.getByText("Told to refuse").first().waitFor();
    await details.getByText("1 of 25").waitFor();
    await details.getByRole("button", { name: "Retry" }).click();
    await sees(page, "No job has failed for good");
    await until(() => topic.taken === 2);
  });

  await t.test("jobs that run, and that wait for their next attempt", async () => {
    topic.will("hold");
    await page.goto(`${panel}/files?view=table&q=sky-1`);
    await inspect("sky-1.png");
    await details.getByRole("button", { name: "Remove" }).click();
    await dialog.getByRole("button", { name: "Spam" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Undo" }).click();
    await sees(page, "1 file restored");
    await page.goto(`${panel}/jobs?state=RUNNING`);
    await inspect("alerts.deliver");
    await details.getByText("Running").waitFor();
    topic.will("fail");
    // Without a touch: the page reads itself again.
    await page.getByRole("row").filter({ hasText: "alerts.deliver" }).waitFor({ state: "detached" });
    await page.getByRole("radio", { name: "Waiting" }).check();
    assert.match(page.url(), /state=WAITING/);
    await inspect("alerts.deliver");
    await details.getByText("Told to fail").first().waitFor();
    await details.getByText("Next attempt").waitFor();
    topic.will("take");
  });

  await t.test("an id leads to its object, wherever it is pasted", async () => {
    await page.goto(`${panel}/users?q=ada`);
    await inspect("ada@example.org");
    const user = await details.locator("code").first().innerText();
    await page.goto(`${panel}/files`);
    await page.getByLabel("Search files").fill(user);
    await details.getByText("ada@example.org").waitFor();
    assert.equal(new URL(page.url()).searchParams.get("item"), user);
    const { files } = await server.ask("{ files(first: 1) { nodes { id versions { nodes { id } } } } }");
    const [file] = files.nodes;
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("i");
    await page.keyboard.insertText(file.id);
    await details.getByText(file.id).waitFor();
    await page.getByLabel("Find an id").fill(file.versions.nodes[0].id);
    await sees(page, "This id leads to no page");
    await page.getByLabel("Close notice").first().click();
  });

  await t.test("somebody is suspended, and out of their open session within seconds", async (t) => {
    const bob = await open(t);
    await bob.page.goto(`${panel}/`);
    await signIn(bob.page, "bob");
    await sees(bob.page, "This panel is for admins and operators");
    const closed = bob.page.evaluate(listen);
    await bob.page.waitForFunction(() => "listening" in window);

    await page.goto(`${panel}/users?q=bob`);
    await inspect("bob@example.org");
    await details.getByRole("button", { name: "Suspend…" }).click();
    await dialog.getByText("An alert is raised").waitFor();
    assert.equal(await dialog.getByLabel("Type").count(), 0, "bob is no admin");
    await dialog.getByRole("button", { name: "Harassment" }).click();
    const asked = Date.now();
    await dialog.getByRole("button", { name: "Suspend" }).click();
    await sees(page, "bob is suspended");
    assert.ok((await closed) - asked < 5_000, "the WebSocket ends within 5 s");
    await bob.page.reload();
    await sees(bob.page, "Sign in to go on where you were.");
    await signIn(bob.page, "bob");
    await sees(bob.page, "This account is suspended");

    await details.getByText("Suspended").first().waitFor();
    await details.getByText("Harassment").first().waitFor();
    await details.getByText("A role is given once they are reinstated").waitFor();
    await check(page, "suspended");
    await details.getByRole("button", { name: "Reinstate…" }).click();
    await dialog.getByText("Suspended for: Harassment").waitFor();
    await dialog.getByRole("button", { name: "Reinstate" }).click();
    await sees(page, "bob is reinstated");
    await details.getByRole("link", { name: "Reinstated" }).waitFor();
  });

  await t.test("roles are given, and the last admin and oneself are kept", async () => {
    const give = async (/** @type {string} */ name, /** @type {string} */ role) => {
      await page.goto(`${panel}/users?q=${name}`);
      await inspect(`${name}@example.org`);
      await details.getByRole("button", { name: "Change role…" }).click();
      await dialog.getByRole("radio", { name: role, exact: true }).check();
      await dialog.getByRole("button", { name: "Give role" }).click();
    };
    await give("admin", "User");
    await dialog.getByText("This is the last admin of this server").waitFor();
    await page.keyboard.press("Escape");
    await details.getByText("You cannot suspend yourself").waitFor();
    assert.equal(await details.getByRole("button", { name: "Suspend…" }).isDisabled(), true);
    await details.getByText("this one").waitFor();
    await give("olga", "Operator");
    await sees(page, "olga has the role Operator");
    await give("bob", "Admin");
    await sees(page, "bob has the role Admin");
    await details.getByRole("button", { name: "Suspend…" }).click();
    await dialog.getByLabel("Reason").fill("A test of the words to type");
    await check(page, "suspend-admin");
    assert.equal(await dialog.getByRole("button", { name: "Suspend" }).isDisabled(), true);
    await dialog.getByLabel("Type").fill("bob");
    assert.equal(await dialog.getByRole("button", { name: "Suspend" }).isEnabled(), true);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await give("bob", "User");
    await sees(page, "bob has the role User");
  });

  await t.test("the audit log is filtered by who, what and when", async () => {
    await page.goto(`${panel}/audit`);
    await page.getByRole("row").filter({ hasText: "Admin → User" }).waitFor();
    await page.keyboard.press("f");
    await page.getByLabel("Action").selectOption({ label: "Suspended" });
    await page.getByLabel("By").fill("nobody-at-all");
    await page.getByLabel("From").fill("2020-01-01");
    await page.getByRole("button", { name: "Apply" }).click();
    await sees(page, "There is nobody of this name");
    await check(page, "audit-filter");
    await page.getByLabel("By").fill("admin");
    await page.getByRole("button", { name: "Apply" }).click();
    await sees(page, "1 entry");
    await page.reload();
    await sees(page, "Action: Suspended");
    await sees(page, "By: admin");
    const entry = page.getByRole("row").filter({ hasText: "Harassment" });
    assert.match((await entry.locator("time").first().getAttribute("title")) ?? "", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    await entry.getByRole("link", { name: "bob" }).click();
    await details.getByText("bob@example.org").waitFor();
    await page.goto(`${panel}/audit?until=2020-01-01`);
    await sees(page, "No entry meets these filters");
    await page.getByRole("button", { name: "Clear filters" }).last().click();
    await page.getByRole("row").filter({ hasText: "Changed the role" }).first().waitFor();
  });

  await t.test("what a filter matches is saved as CSV", async () => {
    const saved = async (/** @type {string} */ path) => {
      await page.goto(panel + path);
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: "Export CSV" }).click();
      const text = await readFile(await (await download).path(), "utf8");
      return text.trimEnd().split("\r\n");
    };
    const files = await saved("/files?tags=note");
    assert.equal(files.length, NOTES + 1);
    assert.match(files[0] ?? "", /^id,name,owner,state,type,bytes,sha256,/);
    assert.match(files[1] ?? "", /^file_[0-9a-f]{32},note-\d{3}\.txt,ada,ACTIVE,text\/plain,/);
    assert.deepEqual((await saved("/users")).map((line) => line.split(",")[1]), ["user_name", "ada", "admin", "bob", "olga"]);
    const [, line] = await saved("/audit?action=user.suspended");
    assert.match(line ?? "", /,admin,user_\w+,user\.suspended,user_\w+,bob,Harassment,\d+,/);
  });

  await t.test("a failure stays in sight, with its request's id", async () => {
    await page.goto(`${panel}/trash?state=REMOVED`);
    await sees(page, "Admins have removed nothing");
    const error = { message: "Something went wrong.", extensions: { code: "INTERNAL", requestId: "req-17" } };
    await page.route("**/graphql", (route) => route.fulfill({ json: { data: null, errors: [error] } }), { times: 1 });
    await page.getByRole("button", { name: "Sign out" }).click();
    await sees(page, "Could not sign out");
    await check(page, "failure");
    await sees(page, "req-17");
    await page.getByLabel("Close notice").first().click();
  });

  await t.test("operators look at what runs, and at nobody", async (t) => {
    const { page, complaints } = await open(t);
    await page.goto(`${panel}/users`);
    await signIn(page, "olga");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    const links = await page.getByRole("navigation").getByRole("link").allInnerTexts();
    assert.deepEqual(links, ["Overview", "Replication", "Jobs", "Alerts", "Erasures"]);
    await check(page, "operator");
    topic.will("refuse");
    await server.ask("mutation ($ids: [ID!]!) { trashFiles(input: { ids: $ids }) { files { id } } }", {
      ids: (await server.ask("{ files(first: 1) { nodes { id } } }")).files.nodes.map((/** @type {{ id: string }} */ { id }) => id),
    });
    await page.goto(`${panel}/jobs`);
    await page.getByRole("row").filter({ hasText: "alerts.deliver" }).first().click();
    await page.getByText("Only admins can do this").waitFor();
    assert.equal(await page.getByRole("button", { name: "Retry" }).isDisabled(), true);
    await page.goto(`${panel}/alerts`);
    await page.getByRole("row").filter({ hasText: "Failed" }).first().click();
    assert.equal(await page.getByRole("button", { name: "Deliver again" }).isDisabled(), true);
    await page.getByText("ada").first().waitFor();
    assert.deepEqual(complaints, []);
  });

  await t.test("no page has an accessibility violation or overflows", async (t) => {
    const storageState = await page.context().storageState();
    const look = async (/** @type {number} */ width) => {
      const { page, complaints } = await open(t, { storageState, viewport: { width, height: 880 } });
      for (const [name, path, opens] of VIEWS) {
        await page.goto(panel + path);
        await check(page, `${name}-${width}`);
        if (!opens) continue;
        await page.keyboard.press("j");
        await page.keyboard.press("Enter");
        await page.getByRole("complementary", { name: "Details" }).waitFor();
        await check(page, `${name}-details-${width}`);
        const button = page.getByRole("complementary").getByRole("button", { name: /…$/, disabled: false }).last();
        if (!(await button.count())) continue;
        await button.click();
        await page.getByRole("dialog").waitFor();
        await check(page, `${name}-dialog-${width}`);
      }
      assert.deepEqual(complaints, []);
    };
    await Promise.all([look(1440), look(390)]);
  });

  await t.test("a session that ends leads to the sign-in, and back", async () => {
    await page.goto(`${panel}/users`);
    await sees(page, "4 users");
    await page.context().clearCookies();
    await page.getByLabel("Search users").fill("ada");
    await sees(page, "Sign in to go on where you were.");
    await signIn(page, "ada");
    await sees(page, "This panel is for admins and operators");
  });

  assert.deepEqual(complaints, []);
});

test("what a browser reads first is small", async () => {
  const folder = new URL("../../../admin/dist/panel/", import.meta.url);
  const page = await readFile(new URL("index.html", folder), "utf8");
  const names = [...page.matchAll(/\/admin\/(assets\/[^"]+)/g)].map(([, name]) => /** @type {string} */ (name));
  const sizes = await Promise.all(names.map(async (name) => gzipSync(await readFile(new URL(name, folder))).length));
  const sum = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(sum > 0 && sum <= ENTRY_BYTES, `${sum} bytes`);
});

/** Opens a WebSocket as the page's user and tells when it ended. In the page. */
function listen() {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init" }));
  socket.onmessage = ({ data }) => {
    const { type } = JSON.parse(data);
    if (type === "ping") socket.send(JSON.stringify({ type: "pong" }));
    if (type === "connection_ack") Object.assign(window, { listening: true });
  };
  return new Promise((resolve) => {
    socket.onclose = () => resolve(Date.now());
  });
}
