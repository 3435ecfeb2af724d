// Apollo Client against a server: node apollo.mjs http://127.0.0.1:8080
// Uploads by apollo-upload-client, and automatic persisted queries by GET. Prints "ok" at the end.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ApolloClient, InMemoryCache, gql } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { buildClientSchema, getIntrospectionQuery } from "graphql";
import { OPERATIONS, recordingFetch, story } from "./story.mjs";

const [server] = process.argv.slice(2);
const uri = `${server}/graphql`;
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const code = (error) => CombinedGraphQLErrors.is(error) && error.errors[0].extensions.code;
const file = (text, name) => new File([text], name, { type: "text/plain" });

function connect(link) {
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  return async (name, variables) => {
    const document = gql(OPERATIONS[name]);
    const options = { variables, fetchPolicy: "no-cache" };
    const asked = OPERATIONS[name].startsWith("mutation")
      ? client.mutate({ mutation: document, ...options })
      : client.query({ query: document, ...options });
    return (await asked).data;
  };
}

const plain = recordingFetch();
await story({ name: "apollo", run: connect(new UploadHttpLink({ uri, fetch: plain.fetch })), code, state: plain, file });
assert.ok(plain.seen.every(({ type }) => type.startsWith("application/graphql-response+json")));

const hashed = recordingFetch();
const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: true });
const run = connect(persisted.concat(new UploadHttpLink({ uri, fetch: hashed.fetch })));
await story({ name: "apollo-persisted", run, code, state: hashed, file });
const methods = hashed.seen.map(({ method, status }) => `${method} ${status}`);
// The first query is not known by its hash; it is sent then, and known from there on.
assert.deepEqual(methods.slice(0, 2), ["GET 400", "POST 200"], `${methods}`);
assert.ok(methods.includes("GET 200"), `${methods}`);

// What GraphiQL and Apollo's tools ask for, in full.
const full = { descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true };
const client = new ApolloClient({ link: new UploadHttpLink({ uri }), cache: new InMemoryCache() });
const { data } = await client.query({ query: gql(getIntrospectionQuery(full)), fetchPolicy: "no-cache" });
assert.ok(buildClientSchema(data).getType("File"));
console.log("ok");
