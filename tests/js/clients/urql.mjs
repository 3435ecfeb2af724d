// urql against a server: node urql.mjs http://127.0.0.1:8080
// Uploads by its own multipart support, and persisted queries by GET. Prints "ok" at the end.
import assert from "node:assert/strict";
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { OPERATIONS, recordingFetch, story } from "./story.mjs";

const [server] = process.argv.slice(2);
const url = `${server}/graphql`;
const code = (error) => error.graphQLErrors?.[0]?.extensions?.code;
const file = (text, name) => new File([text], name, { type: "text/plain" });

function connect(exchanges, state, options = {}) {
  const client = new Client({ url, exchanges, fetch: state.fetch, requestPolicy: "network-only", ...options });
  return async (name, variables) => {
    const text = OPERATIONS[name];
    const { data, error } = await (text.startsWith("mutation") ? client.mutation(text, variables) : client.query(text, variables));
    if (error) throw error;
    return data;
  };
}

const plain = recordingFetch();
const run = connect([cacheExchange, fetchExchange], plain, { preferGetMethod: false });
await story({ name: "urql", run, code, state: plain, file });
assert.ok(plain.seen.every(({ method }) => method === "POST"));

const hashed = recordingFetch();
const persisted = persistedExchange({ preferGetForPersistedQueries: true });
const short = connect([cacheExchange, persisted, fetchExchange], hashed);
await story({ name: "urql-persisted", run: short, code, state: hashed, file });
const methods = hashed.seen.map(({ method, status }) => `${method} ${status}`);
assert.ok(methods[0].startsWith("GET "), `${methods}`);
assert.ok(methods.includes("GET 200"), `${methods}`);
console.log("ok");
