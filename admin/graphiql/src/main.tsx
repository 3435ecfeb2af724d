// GraphiQL, the query editor, over this server's own /graphql; all of it comes from this server.
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";
import type { FetcherParams } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

const WELCOME = `# Ctrl-Enter runs the operation under the cursor; Ctrl-Space completes.
# Log in with logIn(input: { login: …, password: …, session: COOKIE }): the cookie then goes with every request.

{
  __typename
}
`;

async function fetcher(operation: FetcherParams, options?: { headers?: Record<string, string> }) {
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

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(<GraphiQL fetcher={fetcher} defaultQuery={WELCOME} />);
}
