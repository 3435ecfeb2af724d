// GraphiQL, the query editor, over this server's own /graphql; all of it comes from this server.
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";
import type { FetcherParams } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { type ExecutionResult, getOperationAST, parse } from "graphql";
import { createClient, type SubscribePayload } from "graphql-ws";
import { createRoot } from "react-dom/client";

const WELCOME = `# Ctrl-Enter runs the operation under the cursor; Ctrl-Space completes.
# Log in with logIn(input: { login: …, password: …, session: COOKIE }): the cookie then goes with every request.

{
  __typename
}
`;

type Options = { headers?: Record<string, string> };

/** Subscriptions go over a WebSocket, each with the headers of its time. */
function subscribe(operation: FetcherParams, options?: Options) {
  const url = `${location.origin.replace(/^http/, "ws")}/graphql`;
  const client = createClient({ url, connectionParams: options?.headers });
  return client.iterate(operation as SubscribePayload) as AsyncIterable<ExecutionResult>;
}

async function post(operation: FetcherParams, options?: Options) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json, application/json",
      "content-type": "application/json",
      ...options?.headers,
    },
    body: JSON.stringify(operation),
  });
  return response.json();
}

function isSubscription({ query, operationName }: FetcherParams) {
  return getOperationAST(parse(query), operationName)?.operation === "subscription";
}

function fetcher(operation: FetcherParams, options?: Options) {
  return isSubscription(operation) ? subscribe(operation, options) : post(operation, options);
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(<GraphiQL fetcher={fetcher} defaultQuery={WELCOME} />);
}
