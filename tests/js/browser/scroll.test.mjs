// The panel's list of 10,000 files, from the first to the last: each row comes by once, and in the order of the server.
// SNAPHAVEN_TEST_APP is a server that has them, and an admin called ada.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server } from "../../../clients/uploader/test/support.js";
import { loggedIn, open, signIn } from "./panel.mjs";

const FILES = 10_000;
const PAGE = `query ($after: String) {
  files(filter: { everyone: true }, orderBy: { field: NAME, direction: ASC }, first: 100, after: $after) {
    nodes { id } pageInfo { hasNextPage endCursor }
  }
}`;

test(`${FILES} rows scroll by without a dropped page`, async (t) => {
  const app = String(process.env.SNAPHAVEN_TEST_APP);
  const { page, complaints } = await open(t);
  await page.goto(`${app}/admin/files?view=table&order=NAME&direction=ASC`);
  await signIn(page, "ada");
  const grid = page.getByRole("grid");
  await grid.getByRole("row").nth(1).waitFor();
  const seen = await grid.evaluate(scrollThrough);
  assert.deepEqual(seen, await listed(app));
  assert.deepEqual(complaints, []);
});

/** The ids of all files in their order, as the API has them. @param {string} app */
async function listed(app) {
  const admin = await loggedIn(Object.assign(new Server(), { app, endpoint: `${app}/graphql` }), "ada");
  const ids = [];
  for (let after = null, more = true; more; ) {
    const { files } = await admin.ask(PAGE, { after });
    ids.push(...files.nodes.map(({ id }) => id));
    ({ endCursor: after, hasNextPage: more } = files.pageInfo);
  }
  assert.equal(ids.length, FILES);
  return ids;
}

/**
 * Scrolls a list to its end, half a screen at a time, as soon as the next one is drawn: the ids of its rows by their index. In
 * the page.
 * @param {Element} grid
 */
async function scrollThrough(grid) {
  /** @type {string[]} */
  const ids = [];
  const patience = performance.now() + 240_000;
  for (let ended = false; !ended && performance.now() < patience; ) {
    for (const row of grid.querySelectorAll("[role=row][id]")) {
      const index = Number(row.getAttribute("aria-rowindex")) - 2;
      const id = row.id.replace("row-", "");
      if (ids[index] !== undefined && ids[index] !== id) throw new Error(`row ${index} was ${ids[index]}, and is ${id}`);
      ids[index] = id;
    }
    const isWhole = grid.getAttribute("aria-rowcount") !== "-1";
    ended = isWhole && grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 1;
    grid.scrollTop += grid.clientHeight / 2;
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  }
  return ids;
}
