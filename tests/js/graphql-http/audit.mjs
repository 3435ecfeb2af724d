// Runs the graphql-http audit against a server: node audit.mjs http://127.0.0.1:8080/graphql
// Prints one line per audit that is not ok, then the count; exit code 1 unless all are.
import { auditServer } from "graphql-http";

const [url] = process.argv.slice(2);
if (!url) {
  console.error("usage: node audit.mjs URL");
  process.exit(2);
}
const results = await auditServer({ url });
for (const result of results) {
  if (result.status !== "ok") {
    console.log(`${result.status} ${result.id} ${result.name}: ${result.reason}`);
  }
}
const ok = results.filter((result) => result.status === "ok").length;
console.log(`${ok} of ${results.length} ok`);
process.exitCode = ok === results.length ? 0 : 1;
