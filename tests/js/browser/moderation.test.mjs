// What admins decide in the panel, in Chromium on the real server: reports of files and of a snap, the removal of all files
// that match a filter, legal holds, and the block list. Reports have no accessibility violation, in light and dark, wide and narrow.
// Run as panel.test.mjs is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { as, check, loggedIn, mutate, open, picture, row, sees, sendFile, signIn, start, upload, uploadAll, watchProgress } from "./panel.mjs";

// As many as `databases::bulk` removes take a minute longer.
const OLD = Number(process.env.SNAPHAVEN_TEST_OLD_FILES ?? 500);
const OLD_FILES = OLD.toLocaleString("en");
const ONE_MORE = (OLD + 1).toLocaleString("en");
const STATES = "query ($id: ID!) { node(id: $id) { ... on File { state removal { reason } } } }";

/** @typedef {Awaited<ReturnType<typeof start>>["server"]} Server */

/** @param {Server} who */
const idOf = async (who) => (await who.ask("{ viewer { id } }")).viewer.id;

/** Bob and Eve report a picture of Ada's by its link, Bob a text of hers, too, and a snap of Mallory's. @param {Server} server */
async function reported(server) {
  /** @param {string} name */
  const join = async (name) => as(server, await as(server, "").signUp(name));
  const [ada, bob, eve, mallory] = [await join("ada"), await join("bob"), await join("eve"), await join("mallory")];
  /** @param {string} file @param {Server[]} people @param {string} category @param {string} comment */
  const report = async (file, people, category, comment) => {
    const { url } = await mutate(ada, "createShareLink", "url", { fileId: file });
    for (const who of people) await mutate(who, "reportFile", "report { id }", { shareUrl: url, category, comment });
  };
  const sunset = await upload(ada, "sunset.png", picture(3), []);
  await report(sunset, [bob, eve], "COPYRIGHT", "I took this picture.\nIt is not theirs.");
  const letter = await upload(ada, "letter.txt", "Dear all", []);
  await report(letter, [bob], "SPAM", "");

  const { friendship } = await mutate(mallory, "requestFriendship", "friendship { id }", { userId: await idOf(bob) });
  await mutate(bob, "acceptFriendship", "friendship { id }", { id: friendship.id });
  const input = { recipientIds: [await idOf(bob)], caption: "Look!" };
  const { snap } = await sendFile(mallory, "sendSnap", "snap { id }", input, { name: "snap.png", content: picture(9) });
  await mutate(bob, "openSnap", "view { url }", { id: snap.id });
  await mutate(bob, "reportSnap", "report { id }", { id: snap.id, category: "HARASSMENT", comment: "Again and again" });
  return { ada, letter, sunset };
}

test("what admins decide", async (t) => {
  const { server, addAdmin } = await start(t);
  addAdmin("other");
  const other = await loggedIn(server, "other");
  const { ada, letter, sunset } = await reported(server);
  const panel = `${server.app}/admin`;
  const { page, complaints } = await open(t);
  const details = page.getByRole("complementary", { name: "Details" });
  const dialog = page.getByRole("dialog");
  const queue = page.getByRole("navigation").getByRole("link", { name: /^Reports/ });
  /** A page of this address in a narrow window, looked at. @param {string} path @param {string} name @param {string} [text] */
  const narrow = async (path, name, text) => {
    const storageState = await page.context().storageState();
    const { page: phone, complaints } = await open(t, { storageState, viewport: { width: 390, height: 880 } });
    await phone.goto(panel + path);
    if (text) await sees(phone, text);
    await check(phone, name);
    assert.deepEqual(complaints, []);
    return phone;
  };

  await t.test("the queue has what was reported, oldest first", async () => {
    await page.goto(`${panel}/`);
    await signIn(page, "admin");
    await page.getByRole("link", { name: "4 reports wait for a decision" }).waitFor();
    await queue.getByText("4").waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await sees(page, "4 reports");
    await row(page, "Snap").waitFor();
    const names = await page.getByRole("row").locator("[role=gridcell]:nth-child(2)").allInnerTexts();
    assert.deepEqual(names, ["sunset.png", "sunset.png", "letter.txt", "Snap"]);
    await check(page, "reports-1440");
    await narrow("/reports", "reports-390", "4 reports");
  });

  await t.test("one decision is for all who reported the file, and leads on to the next", async () => {
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await details.getByText("I took this picture.").waitFor();
    await details.getByText("2 open reports, with this one").waitFor();
    await details.getByRole("link", { name: "Show sunset.png in Files" }).waitFor();
    await details.getByRole("img", { name: "Preview of sunset.png" }).waitFor();
    await check(page, "report-file-1440");
    await page.keyboard.press("d");
    await sees(page, "Choose what becomes of it");
    assert.equal(await dialog.getByRole("button", { name: "Decide" }).isDisabled(), true);
    await dialog.getByRole("radio", { name: "Remove", exact: true }).check();
    await dialog.getByText("This decides 2 reports").waitFor();
    await dialog.getByRole("button", { name: "Copyright" }).click();
    await check(page, "report-decide-1440");
    await dialog.getByRole("button", { name: "Remove", exact: true }).click();
    await sees(page, "2 reports decided: removed");
    await details.getByRole("heading", { name: "Spam: letter.txt" }).waitFor();
    await sees(page, /^2 reports$/);
    await queue.getByText("2").waitFor();
    assert.deepEqual((await other.ask(STATES, { id: sunset })).node, { state: "REMOVED", removal: { reason: "Copyright" } });
  });

  await t.test("who comes second reads it in the dialog", async () => {
    await details.getByRole("button", { name: "Decide…" }).click();
    await dialog.getByRole("radio", { name: "Remove", exact: true }).check();
    await dialog.getByRole("button", { name: "Spam" }).click();
    const { reports } = await other.ask("{ reports { nodes { id subjectId } } }");
    const { id } = reports.nodes.find(({ subjectId }) => subjectId === letter);
    await mutate(other, "resolveReport", "report { id }", { id, decision: "DISMISS", reason: "A letter" });
    await dialog.getByRole("button", { name: "Remove", exact: true }).click();
    await dialog.getByRole("alert").waitFor();
    assert.equal(await dialog.getByRole("radio", { name: "Remove", exact: true }).isChecked(), true);
    assert.equal(await dialog.getByLabel("Reason").inputValue(), "Spam");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await details.getByText("A letter").first().waitFor();
    assert.equal((await other.ask(STATES, { id: letter })).node.state, "ACTIVE");
  });

  await t.test("a snap's picture is looked at by a click that is written down, and let go by the decision", async () => {
    await row(page, "Snap").click();
    await details.getByText("Again and again").waitFor();
    await details.getByText("This is written to the audit log").waitFor();
    const link = new URL(page.url());
    const phone = await narrow(link.pathname.replace("/admin", "") + link.search, "report-snap-390", "Again and again");
    await phone.getByRole("button", { name: "Decide…" }).click();
    await phone.getByRole("dialog").waitFor();
    await check(phone, "report-decide-390");
    assert.equal(await details.getByRole("link", { name: "Looked at what was reported" }).count(), 0);
    await details.getByRole("button", { name: "Look at the picture" }).click();
    await details.getByRole("link", { name: "Looked at what was reported" }).waitFor();
    const width = await details.getByRole("img", { name: "What was reported" }).evaluate((image) => image.naturalWidth);
    assert.equal(width, 120);
    await check(page, "report-snap-1440");
    await details.getByRole("button", { name: "Decide…" }).click();
    await dialog.getByRole("radio", { name: "Remove and suspend" }).check();
    await dialog.getByText("Its picture is kept no longer").waitFor();
    await dialog.getByRole("button", { name: "Harassment" }).click();
    await dialog.getByRole("button", { name: "Remove and suspend" }).click();
    await sees(page, "No report is open");
    await queue.getByText("open").waitFor({ state: "detached" });
    await check(page, "reports-none-1440");
    await page.getByRole("radio", { name: "Resolved" }).check();
    assert.match(page.url(), /state=RESOLVED/);
    await sees(page, "4 reports");
    await row(page, "Snap").click();
    await details.getByText("It is kept no more").waitFor();
    await details.getByText("Removed, suspended").first().waitFor();
    await check(page, "report-resolved-1440");
    await details.getByRole("link", { name: "mallory" }).click();
    await details.getByText("Suspended").first().waitFor();
  });

  await t.test(`all ${OLD_FILES} that match are removed, and what comes later stays`, async () => {
    const names = Array.from({ length: OLD }, (_, number) => `old-${number}.txt`);
    await uploadAll(ada, names, ["old"]);
    await page.goto(`${panel}/files?view=table&tags=old`);
    await sees(page, `${OLD_FILES} files`);
    await page.getByRole("checkbox", { name: "Select all" }).click();
    await sees(page, "100 files selected");
    await page.getByRole("button", { name: `Select all ${OLD_FILES} files that match` }).click();
    await sees(page, `All ${OLD_FILES} files that match are selected`);
    await check(page, "matching-1440");
    await page.keyboard.press("Delete");
    await dialog.getByText("Tags: old").waitFor();
    await dialog.getByRole("button", { name: "Spam" }).click();
    await upload(ada, "one-more.txt", "one more", ["old"]);
    await dialog.getByRole("button", { name: `Remove ${OLD_FILES} files` }).click();
    await dialog.getByText(`${ONE_MORE} files match now, not ${OLD_FILES}. Nothing was removed.`).waitFor();
    assert.equal(await dialog.getByLabel("Reason").inputValue(), "Spam");
    await check(page, "matching-changed-1440");
    await page.evaluate(watchProgress);
    await dialog.getByRole("button", { name: `Remove ${ONE_MORE} files` }).click();
    await page.getByRole("progressbar", { name: "Removing files" }).waitFor();
    await upload(ada, "late.txt", "late", ["old"]);
    await check(page, "matching-progress-1440");
    await sees(page, `${ONE_MORE} files removed.`);
    await sees(page, /^1 file$/);
    await row(page, "late.txt").waitFor();
    const seen = await page.evaluate(() => /** @type {any} */ (window).progress);
    // Few files are gone between two looks at how far it is.
    const between = OLD < 2_000 || seen.some((/** @type {number} */ value) => value > 0 && value <= OLD);
    assert.ok(seen.length > 0 && between, `progress: ${seen}`);
    await page.getByRole("region", { name: "Removal by a filter" }).getByRole("button", { name: "Close" }).click();
    await page.getByRole("progressbar").waitFor({ state: "detached" });
    const { files } = await ada.ask('{ files(filter: { tags: ["old"] }, first: 5) { totalCount nodes { name } } }');
    assert.deepEqual(files, { totalCount: 1, nodes: [{ name: "late.txt" }] });
  });

  await t.test("a hold keeps a file that is deleted for good, until it ends", async () => {
    await row(page, "late.txt").click();
    await details.getByRole("button", { name: "Place a hold…" }).click();
    await dialog.getByText("Its owner reads that it is held, not why").waitFor();
    await dialog.getByRole("button", { name: "Court order" }).click();
    await check(page, "hold-place-1440");
    await dialog.getByRole("button", { name: "Place the hold" }).click();
    await sees(page, "late.txt is under a legal hold");
    await row(page, "late.txt").getByRole("img", { name: "Under a legal hold" }).waitFor();
    await details.getByRole("link", { name: "Placed a legal hold" }).waitFor();
    await check(page, "held-1440");

    await details.getByRole("button", { name: "Delete for good…" }).click();
    await dialog.getByText("Nothing of it is erased before the hold ends").waitFor();
    await dialog.getByLabel("Type").fill("delete 1 file");
    await dialog.getByRole("button", { name: "Delete for good" }).click();
    await sees(page, "1 file kept by a legal hold");
    const { searchParams } = new URL(page.url());
    const id = searchParams.get("item");
    await page.goto(`${panel}/trash?state=REMOVED&q=late&item=${id}`);
    await row(page, "late.txt").getByText("when its hold ends").waitFor();
    await check(page, "held-trash-1440");
    await details.getByRole("button", { name: "Release…" }).click();
    await dialog.getByText("It was deleted meanwhile").waitFor();
    assert.equal(await dialog.getByRole("button", { name: "Release" }).isDisabled(), true);
    await dialog.getByLabel("Type").fill("delete 1 file");
    await check(page, "hold-release-1440");
    await dialog.getByRole("button", { name: "Release" }).click();
    await sees(page, "The hold of late.txt is released");
    await gone(other, String(id));
    await page.reload();
    await details.getByText("It was deleted for good").waitFor();
    await details.getByRole("link", { name: "Released a legal hold" }).waitFor();
  });

  await t.test("what is blocked is removed, and nobody can store it until it is unblocked", async () => {
    const content = picture(7);
    const storm = await upload(ada, "storm.png", content, []);
    await page.goto(`${panel}/files?view=table&q=storm`);
    await row(page, "storm.png").click();
    await details.getByRole("button", { name: "Block…" }).click();
    await dialog.getByText("Other files that have them already stay").waitFor();
    await dialog.getByRole("button", { name: "Illegal content" }).click();
    await check(page, "block-1440");
    await dialog.getByRole("button", { name: "Block", exact: true }).click();
    await sees(page, "1 file blocked");
    await details.getByText("Pictures are shown again once the file is active").waitFor();
    const removed = { state: "REMOVED", removal: { reason: "Illegal content" } };
    assert.deepEqual((await other.ask(STATES, { id: storm })).node, removed);
    await assert.rejects(upload(ada, "again.png", content, []), /CONTENT_BLOCKED/);

    await page.keyboard.press("g");
    await page.keyboard.press("b");
    await sees(page, /^1 entry$/);
    assert.equal(await row(page, "storm.png").locator("[role=gridcell]:nth-child(5)").innerText(), "1");
    await row(page, "storm.png").click();
    await details.getByRole("link", { name: "Tried to store a blocked content" }).waitFor();
    await check(page, "block-list-1440");
    await narrow("/block-list", "block-list-390", "storm.png");
    await details.getByRole("button", { name: "Unblock…" }).click();
    await dialog.getByText("What was removed or refused stays so").waitFor();
    await dialog.getByRole("button", { name: "Unblock", exact: true }).click();
    await sees(page, "Nothing is blocked");
    await details.getByRole("link", { name: "Unblocked a content" }).waitFor();
    await upload(ada, "again.png", content, []);
    assert.deepEqual((await other.ask(STATES, { id: storm })).node, removed);
  });

  assert.deepEqual(complaints, []);
});

/** Waits until there is no such file any more. @param {Server} who @param {string} id */
async function gone(who, id) {
  for (let tries = 0; (await who.ask(STATES, { id })).node !== null; tries += 1) {
    assert.ok(tries < 150, "in 15 seconds");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
