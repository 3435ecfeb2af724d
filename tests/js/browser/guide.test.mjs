// The panel over what `snaphaven demo` makes, at SNAPHAVEN_TEST_APP with an admin called root: the pages that the admins'
// guide shows. Where SNAPHAVEN_TEST_GUIDE names a folder, its pictures are written there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { check, open, sees, signIn } from "./panel.mjs";

const app = String(process.env.SNAPHAVEN_TEST_APP);
const folder = process.env.SNAPHAVEN_TEST_GUIDE;

test("the pages of the guide", async (t) => {
  const { page, complaints } = await open(t, { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  const details = page.getByRole("complementary", { name: "Details" });
  const dialog = page.getByRole("dialog");
  /** Waits until all pictures are there, and keeps what it sees. @param {string} name */
  const picture = async (name) => {
    await check(page, `guide-${name}`);
    await page.emulateMedia({ colorScheme: "light" });
    if (folder) await page.screenshot({ path: `${folder}/${name}.jpg`, type: "jpeg", quality: 80 });
  };

  await page.goto(`${app}/admin/`);
  await signIn(page, "root");
  await page.getByRole("link", { name: /reports wait for a decision/ }).waitFor();
  await picture("overview");

  await page.goto(`${app}/admin/files`);
  await page.locator("main img").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await details.getByText(/^eu-west-1/).waitFor();
  await picture("files");

  await page.goto(`${app}/admin/reports`);
  // The first one of a file.
  await page.getByRole("row").filter({ hasNotText: "Snap" }).nth(1).click();
  await details.getByRole("img", { name: /Preview of/ }).waitFor();
  await details.getByRole("button", { name: "Decide…" }).click();
  await dialog.getByRole("radio", { name: "Remove and block" }).check();
  await dialog.getByRole("button", { name: "Illegal content" }).click();
  await picture("report");
  await dialog.getByRole("button", { name: "Remove and block" }).click();
  await sees(page, /reports? decided/);

  await page.goto(`${app}/admin/block-list`);
  await page.getByRole("row").nth(1).click();
  await details.getByText("By bytes and looks").waitFor();
  await picture("block-list");

  await page.goto(`${app}/admin/alerts`);
  await page.getByRole("row").nth(1).click();
  await details.getByText("Delivered").first().waitFor();
  await picture("alerts");
  assert.deepEqual(complaints, []);
});
