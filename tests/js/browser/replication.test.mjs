// The panel's page of the replication, in Chromium on the real server: copies go wrong behind its back, a verification finds them,
// a repair mends them, and the state says so in between. Operators see all of it and change nothing. No accessibility violation
// at any step, in light and dark, wide and narrow. Run as panel.test.mjs is.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { binary } from "../../../clients/uploader/test/support.js";
import { check, loggedIn, mutate, open, row, sees, signIn, start, upload, uploadAll, watchProgress } from "./panel.mjs";
import { Bucket } from "./s3.mjs";

/** One more than a repair may change at once on a small server, with the copy that is missing. */
const STRAY = 100;
/** A copy that is younger is on its way rather than missing. */
const RPO_SECONDS = 3;
/** Tells the file whose copy is deleted by the size of its object. */
const NOVEL = "Call me Ishmael. ".repeat(211);
const COPIES = "{ files(first: 100) { nodes { copies { state } } } }";
const RUN = "query ($id: ID!) { node(id: $id) { ... on ReplicaRun { state } } }";
const SIGHTINGS = "{ replicaFindings(open: true, first: 100) { nodes { sightings } } }";

/** @typedef {Awaited<ReturnType<typeof start>>["server"]} Server */

/** Asks again and again until the answer is as it should be. @param {() => Promise<boolean>} done */
async function becomes(done) {
  for (let tries = 0; !(await done()); tries += 1) {
    assert.ok(tries < 600, "in 30 seconds");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Verifies to the end, past the panel. @param {Server} who */
async function verify(who) {
  const { run } = await mutate(who, "verifyReplicas", "run { id }", { mode: "SWEEP" });
  await becomes(async () => (await who.ask(RUN, { id: run.id })).node.state === "COMPLETE");
}

test("the replication", async (t) => {
  const { server } = await start(t, {
    "replication.rpo": `${RPO_SECONDS}s`,
    "replication.sweep_interval": "0s",
    "replication.scrub_interval": "0s",
    "replication.check_interval": "1s",
    "replication.orphan_grace": "0s",
    "manifest.interval": "0s",
    // Between attempts at what cannot be read or believed.
    "jobs.backoff_min": "100ms",
  });
  const root = await loggedIn(server, "admin");
  await server.signUp("olga");
  const { viewer: olga } = await server.ask("{ viewer { id } }");
  await mutate(root, "setUserRole", "user { id }", { id: olga.id, role: "OPERATOR" });
  await server.signUp("ada");
  await uploadAll(server, ["one.txt", "two.txt", "three.txt", "four.txt"], []);
  await upload(server, "novel.txt", NOVEL, []);
  const uploaded = Date.now();
  await becomes(async () => {
    const { files } = await server.ask(COPIES);
    const copies = files.nodes.flatMap((/** @type {{ copies: { state: string }[] }} */ { copies }) => copies);
    return copies.length === 10 && copies.every((/** @type {{ state: string }} */ { state }) => state === "VERIFIED");
  });
  const first = await Bucket.open(server, "snaphaven-first", "eu-central-1");
  const second = await Bucket.open(server, "snaphaven-second", "eu-west-1");
  const keys = async (/** @type {Bucket} */ bucket) => (await bucket.list()).map(({ key }) => key);
  const strays = async () => (await keys(first)).filter((key) => key.startsWith("stray/")).length;
  const novel = (await second.list()).find(({ size }) => size === NOVEL.length)?.key ?? "";
  assert.ok(novel, "the file's object is in the second bucket");

  const panel = `${server.app}/admin`;
  const { page, complaints } = await open(t);
  const details = page.getByRole("complementary", { name: "Details" });
  const dialog = page.getByRole("dialog");
  const button = (/** @type {string | RegExp} */ name) => page.getByRole("button", { name, exact: true });
  const state = (/** @type {string} */ word) => page.getByText(word, { exact: true }).first().waitFor();
  /** Until all that a repair has written is at both sites: what is late by then would be a finding of its own. */
  const settled = () =>
    becomes(async () => (await root.ask("{ replication { backlog { objects } } }")).replication.backlog.objects === 0);
  /** The page in a narrow window, looked at. @param {string} name @param {string} [search] */
  const narrow = async (name, search = "") => {
    const storageState = await page.context().storageState();
    const { page: phone, complaints } = await open(t, { storageState, viewport: { width: 390, height: 880 } });
    await phone.goto(`${panel}/replication${search}`);
    await phone.getByRole("heading", { name: "Last verifications, repairs and drills" }).waitFor();
    await check(phone, `${name}-390`);
    assert.deepEqual(complaints, []);
    await phone.context().close();
  };
  /** Orders a verification, and closes what it says at its end. @param {string | RegExp} outcome */
  const verified = async (outcome) => {
    await button("Verify").click();
    await page.getByRole("region", { name: "Verify" }).getByText(outcome).waitFor();
    await page.getByRole("region", { name: "Verify" }).getByRole("button", { name: "Close" }).click();
  };

  await t.test("before any verification nothing is known", async () => {
    await page.goto(`${panel}/`);
    await signIn(page, "admin");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("c");
    await state("INCONCLUSIVE");
    await sees(page, "Nothing has been verified yet.");
    const sites = page.getByRole("region", { name: "Sites" }).getByRole("listitem");
    assert.equal(await sites.count(), 2);
    await sites.filter({ hasText: "snaphaven-first" }).filter({ hasText: "Primary" }).getByText("Answers").waitFor();
    await sites.filter({ hasText: "snaphaven-second" }).filter({ hasText: "eu-west-1" }).getByText("Answers").waitFor();
    await sees(page, "Nothing would be lost with it.");
    await sees(page, /arrivals within the last hour/);
    await check(page, "replication-unknown-1440");
    await narrow("replication-unknown");
  });

  await t.test("a verification finds what went wrong, by its name", async () => {
    await second.delete(novel);
    for (let number = 0; number < STRAY; number += 1) await first.put(`stray/${number}.bin`, `nobody's ${number}`);
    await becomes(async () => Date.now() - uploaded > RPO_SECONDS * 1000);
    await verified(`${STRAY + 1} faults`);
    await state("DRIFTED");
    await button(/^Missing in replica 1$/).waitFor();
    await button(`Orphan in primary ${STRAY}`).waitFor();
    await page.getByRole("grid", { name: "Findings" }).waitFor();
    await check(page, "replication-drifted-1440");
    await narrow("replication-drifted");
  });

  await t.test("a finding says what it means, what was seen, and what a repair does", async () => {
    await button(/^Missing in replica/).click();
    await row(page, novel).waitFor();
    assert.match(page.url(), /kind=MISSING_IN_REPLICA/);
    await page.getByRole("grid", { name: "Findings" }).focus();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await details.getByRole("heading", { name: "Missing in replica" }).first().waitFor();
    await details.getByText("The replica has no copy").waitFor();
    await details.getByText("A repair copies it again.").waitFor();
    await details.getByText("nothing").waitFor();
    await details.getByText(novel).first().waitFor();
    await details.getByText("In 1 run").waitFor();
    await check(page, "replication-finding-1440");
    await narrow("replication-finding", new URL(page.url()).search);
    await page.keyboard.press("Escape");
    await details.waitFor({ state: "detached" });
    await button(/^All/).click();
  });

  await t.test("a dry run says what a repair would do, and does nothing", async () => {
    await button("Repair…").click();
    await dialog.getByText(`${STRAY + 1} findings`, { exact: true }).waitFor();
    await dialog.getByText("A repair puts them away in quarantine").waitFor();
    await dialog.getByText("Each finding is looked at once more").waitFor();
    await check(page, "replication-plan-1440");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal(await strays(), STRAY);
    assert.equal((await keys(second)).includes(novel), false);
  });

  await t.test("an operator sees all of it, and changes nothing", async (t) => {
    const { page, complaints } = await open(t);
    /** @type {string[]} */
    const mutations = [];
    page.on("request", (request) => {
      const sent = request.postData() ?? "";
      if (/"query":"mutation /.test(sent)) mutations.push(sent);
    });
    await page.goto(`${panel}/replication`);
    await signIn(page, "olga");
    await page.getByText("DRIFTED", { exact: true }).waitFor();
    await page.getByRole("button", { name: `Orphan in primary ${STRAY}` }).waitFor();
    await row(page, "stray/").first().click();
    const details = page.getByRole("complementary", { name: "Details" });
    await details.getByText("Only admins can repair.").waitFor();
    await details.getByText("The primary has bytes that the ledger does not know.").waitFor();
    const names = await page.getByRole("main").getByRole("button").allInnerTexts();
    assert.deepEqual(names.filter((name) => /^(Verify|Read back|Repair|Drill)/.test(name)), []);
    await check(page, "replication-operator-1440");
    await page.getByRole("button", { name: "What a repair would do…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(`${STRAY + 1} findings`, { exact: true }).waitFor();
    await dialog.getByText("Only admins can repair.").waitFor();
    assert.equal(await dialog.getByRole("button", { name: /Repair/ }).count(), 0);
    await check(page, "replication-dry-run-1440");
    await dialog.getByRole("button", { name: "Close" }).first().click();
    // The log-in apart, the dry run is all that was sent.
    const others = mutations.filter((sent) => !/logIn/.test(sent));
    assert.equal(others.length, 1);
    assert.match(others[0] ?? "", /repairFindings.*"dryRun":true/s);
    assert.deepEqual(complaints, []);
  });

  await t.test("a repair is refused where there are other findings by then, and asks once more where they are many", async () => {
    await verified(`${STRAY + 1} faults`);
    await button("Repair…").click();
    await dialog.getByRole("button", { name: `Repair ${STRAY + 1} findings` }).waitFor();
    await first.put("stray/late.bin", "not seen twice");
    await verify(root);
    await becomes(async () => (await root.ask(SIGHTINGS)).replicaFindings.nodes.length === 100);
    await dialog.getByRole("button", { name: `Repair ${STRAY + 1} findings` }).click();
    await dialog.getByText(`There are ${STRAY + 2} findings now, not ${STRAY + 1}. Nothing was repaired.`).waitFor();
    await dialog.getByRole("button", { name: `Repair ${STRAY + 2} findings` }).click();
    await dialog.getByText(/are more than 100, the share of all objects/).waitFor();
    assert.equal(await dialog.getByRole("button", { name: /^Repair/ }).isDisabled(), true);
    await check(page, "replication-many-1440");
    assert.equal(await strays(), STRAY + 1);
  });

  await t.test("a repair shows how far it is, and what it left open", async () => {
    await page.evaluate(watchProgress);
    await dialog.getByLabel("Type").fill(`repair ${STRAY + 2} findings`);
    await dialog.getByRole("button", { name: /^Repair/ }).click();
    await dialog.waitFor({ state: "detached" });
    const notice = page.getByRole("region", { name: "Repair" });
    await notice.getByText(`Repair: ${STRAY + 1} findings repaired, 1 left open.`).waitFor();
    const values = await page.evaluate(() => /** @type {any} */ (window).progress);
    assert.ok(values?.length > 0, "a progress bar was there");
    assert.equal(await strays(), 1);
    assert.ok((await keys(second)).includes(novel), "the copy is back");
    await row(page, "stray/late.bin").click();
    await details.getByText(/once it was seen twice/).first().waitFor();
    await check(page, "replication-left-open-1440");
    await page.keyboard.press("Escape");
    await notice.getByRole("button", { name: "Close" }).click();
  });

  await t.test("both copies are read back and hashed", async () => {
    await settled();
    await button("Read back and hash").click();
    const notice = page.getByRole("region", { name: "Read back and hash" });
    await notice.getByText(/0 faults, .* read\.$/).waitFor();
    await notice.getByRole("button", { name: "Close" }).click();
  });

  await t.test("what was seen twice is put away, and all is well", async () => {
    await verified("1 fault");
    await row(page, "stray/late.bin").click();
    await details.getByRole("button", { name: "Repair this…" }).click();
    await dialog.getByRole("button", { name: "Repair 1 finding" }).click();
    await sees(page, "Repair: 1 finding repaired, 0 left open.");
    await details.getByText("Quarantined").waitFor();
    await page.keyboard.press("Escape");
    await settled();
    await verified("0 faults");
    await state("HEALTHY");
    await sees(page, "No open finding");
    await sees(page, /^Bytes read back$/);
    await check(page, "replication-healthy-1440");
    await page.getByRole("radio", { name: "Resolved" }).check();
    await row(page, "stray/late.bin").waitFor();
    await narrow("replication-healthy", "?show=resolved");
  });

  await t.test("the last runs say who ordered them, and lead to what they counted", async () => {
    const runs = page.getByRole("region", { name: "Last verifications, repairs and drills" }).getByRole("listitem");
    assert.equal(await runs.count(), 8);
    assert.equal(await runs.filter({ hasText: "by admin" }).count(), 8);
    await runs.first().getByRole("link", { name: "Verify" }).click();
    await details.getByText("Ordered by").waitFor();
    await details.getByText("Checksum").waitFor();
    await check(page, "replication-run-1440");
    await page.goto(`${panel}/audit?action=run.ordered`);
    await row(page, "Ordered a verification or repair").first().waitFor();
  });

  await t.test("a bucket that has lost everything is not believed at once, and filled again", async () => {
    await page.goto(`${panel}/replication`);
    const all = await keys(second);
    for (const key of all) await second.delete(key);
    await verified(/its listing shows 0 of/);
    await state("INCONCLUSIVE");
    await button("Verify and believe the listings…").click();
    await dialog.getByText("Go on only where a bucket is known to have lost its objects").waitFor();
    const begin = dialog.getByRole("button", { name: "Verify" });
    assert.equal(await begin.isDisabled(), true);
    await check(page, "replication-believe-1440");
    await dialog.getByLabel("Type").fill("believe the listings");
    await begin.click();
    await page.getByRole("region", { name: "Verify" }).getByText(`${all.length} faults`).waitFor();
    await button(`Missing in replica ${all.length}`).waitFor();
    await button("Repair…").click();
    await dialog.getByRole("button", { name: `Repair ${all.length} findings` }).click();
    await dialog.getByLabel("Type").fill(`repair ${all.length} findings`);
    await dialog.getByRole("button", { name: /^Repair/ }).click();
    await sees(page, `Repair: ${all.length} findings repaired, 0 left open.`);
    assert.deepEqual(await keys(second), all);
    await check(page, "replication-filled-1440");
    await page.getByRole("region", { name: "Verify" }).getByRole("button", { name: "Close" }).click();
    await verified(`${all.length} of ${all.length} objects at both sites, 0 faults`);
    await state("HEALTHY");
  });

  await t.test("a drill rebuilds a server from the replica alone, and tells what it measured", async () => {
    await sees(page, "The database is not at the replica yet.");
    const drill = page.getByRole("region", { name: "Drill", exact: true });
    await button("Drill").click();
    await drill.getByText("bucket snaphaven-second has no manifest").waitFor();
    await check(page, "replication-no-drill-1440");
    await drill.getByRole("button", { name: "Close" }).click();
    const written = spawnSync(binary, ["manifest", "write", "--data-dir", server.data], { encoding: "utf8" });
    assert.equal(written.status, 0, written.stderr);
    await becomes(async () => (await root.ask("{ replication { manifestAt } }")).replication.manifestAt !== null);
    await button("Drill").click();
    await drill.getByText("Drill: 100 of 100 objects right, ").waitFor();
    await sees(page, "The database at the replica: as of");
    await check(page, "replication-drill-1440");
    await page.getByRole("listitem").getByRole("link", { name: "Drill" }).first().click();
    await details.getByText("the age of the manifest").waitFor();
    await check(page, "replication-drill-details-1440");
    await narrow("replication-drill");
    await details.getByRole("button", { name: "Close" }).click();
    await drill.getByRole("button", { name: "Close" }).click();
  });

  await t.test("a site that does not answer is told, and copies that are late", async () => {
    let told = {};
    await page.route("**/graphql", async (route) => {
      if (!/query Replication /.test(route.request().postData() ?? "")) return route.continue();
      const answer = await (await route.fetch()).json();
      const { replication } = answer.data;
      return route.fulfill({ json: { data: { ...answer.data, replication: { ...replication, ...told } } } });
    });
    const [primary, replica] = (await root.ask("{ replication { sites { role region bucket isReachable error } } }")).replication.sites;
    const typed = (/** @type {object} */ site) => ({ __typename: "ReplicationSite", ...site });
    told = {
      state: "DOWN",
      sentence: "The primary does not answer: connection refused.",
      sites: [{ ...typed(primary), isReachable: false, error: "connection refused" }, typed(replica)],
      exposure: { __typename: "ReplicationExposure", objects: 12, files: 10, people: 3 },
    };
    await page.goto(`${panel}/replication`);
    await state("DOWN");
    await page.getByRole("listitem").filter({ hasText: "Primary" }).getByText("Does not answer").waitFor();
    await sees(page, "connection refused");
    await page.getByText("12 objects of 10 files and 3 people would be lost.").waitFor();
    await check(page, "replication-down-1440");
    told = {
      state: "LAGGING",
      sentence: "12 objects wait for their copy, the oldest for 1h, longer than 15m.",
      lag: { __typename: "ReplicationLag", p50: 31.5, p95: 412, p99: 1260, max: 3600, probe: 60, copies: 2140 },
      backlog: { __typename: "ReplicationBacklog", objects: 12, bytes: 5_200_000, oldest: 3600 },
    };
    await page.keyboard.press("r");
    await state("LAGGING");
    await sees(page, "1 h");
    await sees(page, /longer than the target/);
    await check(page, "replication-lagging-1440");
  });

  assert.deepEqual(complaints, []);
});
