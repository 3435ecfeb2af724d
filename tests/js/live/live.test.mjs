// The reference client of graphql-transport-ws against a running server: SNAPHAVEN_URL is its address.
import assert from "node:assert/strict";
import test from "node:test";
import { CloseCode, createClient } from "graphql-ws";
import WebSocket from "ws";

const http = process.env.SNAPHAVEN_URL;
const url = `${http.replace("http", "ws")}/graphql`;
const PASSWORD = "a fox jumps 7 times";
const LIVE = "subscription ($after: String) { eventReceived(after: $after) { cursor kind } }";

async function send(query, variables, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${http}/graphql`, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

async function signUp(username) {
  const input = { username, email: `${username}@example.org`, firstName: "Ada", lastName: "L", password: PASSWORD };
  const query = "mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { message } } }";
  return (await send(query, { input }, null)).signUp.token;
}

async function createUpload(token) {
  const query = "mutation ($input: CreateUploadInput!) { createUpload(input: $input) { uploadSession { id } } }";
  return (await send(query, { input: { name: "a", size: 1 } }, token)).createUpload.uploadSession.id;
}

const latest = async (token) => (await send("{ events(first: 0) { latestCursor } }", {}, token)).events.latestCursor;

function clientOf(token, more) {
  return createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { token }, ...more });
}

/** How the client reports the close that `act` brings about. */
async function closeOf(act, options) {
  let socket;
  const client = clientOf(undefined, { lazy: false, onNonLazyError: () => {}, ...options });
  const closed = new Promise((resolve) => client.on("closed", resolve));
  client.on("opened", (opened) => {
    socket = opened;
  });
  client.on("connected", () => act?.(socket));
  const event = await closed;
  await client.dispose();
  return event.code;
}

test("queries, mutations and errors", async () => {
  const client = clientOf(await signUp("ada"));
  const one = async (query) => (await client.iterate({ query }).next()).value;
  assert.deepEqual(await one("{ viewer { username } }"), { data: { viewer: { username: "ada" } } });
  const upload = 'mutation { createUpload(input: { name: "a", size: 1 }) { userErrors { code } } }';
  assert.deepEqual((await one(upload)).data.createUpload.userErrors, []);
  await assert.rejects(
    () => one("{ nothing }"),
    ([error]) => error.extensions.code === "GRAPHQL_VALIDATION_FAILED",
  );
  await client.dispose();
});

test("a subscription is told each event, and is over when the client says so", async () => {
  const token = await signUp("bob");
  const client = clientOf(token);
  const events = client.iterate({ query: LIVE, variables: { after: await latest(token) } });
  for (let count = 0; count < 3; count += 1) {
    await createUpload(token);
    const { value } = await events.next();
    assert.equal(value.data.eventReceived.kind, "UPLOAD_CHANGED");
  }
  assert.equal((await events.return()).done, true);
  await client.dispose();
});

test("a client that loses its connection resumes where it was", async () => {
  const token = await signUp("carol");
  const variables = { after: await latest(token) };
  const seen = [];
  let socket;
  const client = clientOf(token, { retryAttempts: 5, retryWait: async () => {}, shouldRetry: () => true });
  client.on("opened", (opened) => {
    socket = opened;
  });
  const done = new Promise((resolve, reject) => {
    // The variables are read again at each subscribe of a retry.
    client.subscribe(
      { query: LIVE, variables },
      {
        next: ({ data }) => {
          seen.push(data.eventReceived.cursor);
          variables.after = data.eventReceived.cursor;
          if (seen.length === 2) socket.terminate();
          if (seen.length === 6) resolve();
        },
        error: reject,
        complete: reject,
      },
    );
  });
  for (let count = 0; count < 6; count += 1) await createUpload(token);
  await done;
  assert.equal(new Set(seen).size, 6);
  await client.dispose();
});

test("each close code as the client reports it", async () => {
  const say = (message) => (socket) => socket.send(typeof message === "string" ? message : JSON.stringify(message));
  const subscribe = { type: "subscribe", id: "a", payload: { query: LIVE } };
  assert.equal(await closeOf(say("garbage")), CloseCode.BadRequest);
  assert.equal(await closeOf(say({ type: "connection_init" })), CloseCode.TooManyInitialisationRequests);
  const token = await signUp("dave");
  const twice = (socket) => [0, 1].forEach(() => say(subscribe)(socket));
  assert.equal(await closeOf(twice, { connectionParams: { token } }), CloseCode.SubscriberAlreadyExists);
  assert.equal(await closeOf(undefined, { connectionParams: { token: "bad" } }), CloseCode.Forbidden);
  const foreign = class extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols, { headers: { origin: "https://evil.example.org" } });
    }
  };
  assert.equal(await closeOf(undefined, { webSocketImpl: foreign }), CloseCode.Forbidden);

  const raw = (protocols, opened) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, protocols);
      socket.on("open", () => opened?.(socket));
      socket.on("close", resolve);
    });
  assert.equal(await raw("graphql-transport-ws", say(subscribe)), CloseCode.Unauthorized);
  assert.equal(await raw("graphql-transport-ws"), CloseCode.ConnectionInitialisationTimeout);
  assert.equal(await raw([]), CloseCode.SubprotocolNotAcceptable);
});

test("a log-out is 4403, after which the client may come back with another token", async () => {
  const token = await signUp("erin");
  const client = clientOf(token);
  const closed = new Promise((resolve) => client.on("closed", resolve));
  const over = new Promise((resolve) => client.subscribe({ query: LIVE }, { next() {}, error: resolve, complete: resolve }));
  await new Promise((resolve) => client.on("connected", resolve));
  await send("mutation { logOut { userErrors { code } } }", {}, token);
  assert.equal((await closed).code, CloseCode.Forbidden);
  await over;
  await client.dispose();
});
