// What the tests share: the real server with people on it, and a proxy that misbehaves between them and a client.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const PART = 16 << 20;
/** Retries without the waits of the real world. */
export const QUICK = { minDelay: 5, maxDelay: 40 };

/** The server under test. */
export const binary = process.env.SNAPHAVEN_TEST_BINARY ?? fileURLToPath(new URL("../../../target/debug/snaphaven", import.meta.url));

/** @param {Uint8Array} bytes */
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A folder that goes with the test. @param {import("node:test").TestContext} t */
export async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), "snaphaven-uploader-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A file of random bytes. @param {import("node:test").TestContext} t @param {number} size */
export async function randomFile(t, size, name = "content.bin") {
  const [path, bytes] = [join(await folder(t), name), randomBytes(size)];
  // No text, and no picture.
  if (size > 0) bytes[0] = 0;
  await writeFile(path, bytes);
  return { path, bytes, sha256: sha256(bytes) };
}

/** The real server on free ports. */
export class Server {
  /** @param {import("node:test").TestContext} t @param {Record<string, string>} [settings] */
  static async start(t, settings = {}) {
    const data = await mkdtemp(join(tmpdir(), "snaphaven-uploader-"));
    const all = { "accounts.hash_memory": "8 MiB", "log.filter": "error", ...settings };
    const sets = Object.entries(all).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    const child = spawn(binary, ["serve", "--listen", "127.0.0.1:0", "--data-dir", data, ...sets], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(data, { recursive: true, force: true });
    });
    const server = new Server();
    server.data = data;
    for await (const line of createInterface({ input: child.stdout })) {
      const [name, url] = line.trim().split(/\s+/);
      if (name === "app") server.app = url;
      if (name === "s3") server.s3 = url;
      if (name === "Stop") break;
    }
    assert.ok(server.app && server.s3, "the server did not start");
    server.endpoint = `${server.app}/graphql`;
    return server;
  }

  /** Its folder. */
  data = "";
  app = "";
  s3 = "";
  endpoint = "";
  token = "";

  /** @param {string} query @param {object} [variables] */
  async ask(query, variables = {}) {
    const headers = { "content-type": "application/json", ...(this.token && { authorization: `Bearer ${this.token}` }) };
    const body = JSON.stringify({ query, variables });
    const answer = await (await fetch(this.endpoint, { method: "POST", headers, body })).json();
    assert.equal(answer.errors, undefined, JSON.stringify(answer));
    return answer.data;
  }

  /** Signs somebody up, who asks from now on. @param {string} username */
  async signUp(username) {
    this.token = "";
    const input = {
      username,
      email: `${username}@example.org`,
      firstName: "Ada",
      lastName: "",
      password: "a fox jumps 7 times",
    };
    const query = "mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { message } } }";
    const { signUp } = await this.ask(query, { input });
    assert.deepEqual(signUp.userErrors, []);
    this.token = signUp.token;
    return this.token;
  }

  /** The SHA-256 of what a download of the file gives. @param {string} id */
  async downloaded(id) {
    const { node } = await this.ask("query ($id: ID!) { node(id: $id) { ... on File { downloadUrl { url } } } }", { id });
    const answer = await fetch(node.downloadUrl.url);
    assert.equal(answer.status, 200);
    return sha256(new Uint8Array(await answer.arrayBuffer()));
  }

  /** @param {string} id */
  async session(id) {
    const query = "query ($id: ID!) { uploadSession(id: $id) { state parts { number size sha256 } file { id } } }";
    return (await this.ask(query, { id })).uploadSession;
  }

  async fileNames() {
    const { files } = await this.ask("{ files(first: 100) { nodes { name } } }");
    return files.nodes.map((/** @type {{ name: string }} */ { name }) => name).sort();
  }
}

/**
 * What becomes of a request: nothing; a status instead of it; cut before it is sent on, or after, so that only its answer is
 * lost; cut in the middle of its body; or held until the client goes away.
 * @typedef {undefined | { status: number, headers?: Record<string, string>, body?: string } | "cut" | "lose" | "half" | "hold"} Fault
 */

/** A proxy that asks `fault` about each request, and keeps what passed. */
export class Proxy {
  /**
   * @param {import("node:test").TestContext} t
   * @param {() => string} target where requests go
   */
  static async start(t, target) {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    const address = /** @type {import("node:net").AddressInfo} */ (proxy.#server.address());
    proxy.url = `http://127.0.0.1:${address.port}`;
    t.after(() => {
      proxy.#server.closeAllConnections();
      proxy.#server.close();
      proxy.#agent.destroy();
    });
    return proxy;
  }

  url = "";
  /** @type {(request: http.IncomingMessage, operation: string) => Fault} */
  fault = () => undefined;
  /** What reached the target: the GraphQL field, or `PUT <part number>`. @type {string[]} */
  passed = [];
  /** Answers GET requests itself. @type {undefined | ((request: http.IncomingMessage, response: http.ServerResponse) => void)} */
  pages;
  /** Called when a request is held. */
  held = () => {};
  #server;
  #agent = new http.Agent({ keepAlive: true });

  /** @param {() => string} target */
  constructor(target) {
    this.#server = http.createServer(async (request, response) => {
      if (request.method === "GET" && this.pages) return this.pages(request, response);
      /** @type {Buffer[]} */
      const chunks = [];
      const operation = async () => {
        if (request.method !== "POST") return `PUT ${new URL(request.url ?? "", "http://x").searchParams.get("partNumber")}`;
        for await (const chunk of request) chunks.push(chunk);
        return /{ (\w+)/.exec(JSON.parse(Buffer.concat(chunks).toString()).query)?.[1] ?? "";
      };
      try {
        const name = request.method === "OPTIONS" ? "OPTIONS" : await operation();
        const fault = name === "OPTIONS" ? undefined : this.fault(request, name);
        if (fault === "cut") return request.socket.destroy();
        if (fault === "hold") return this.held();
        if (typeof fault === "object") {
          if (!request.complete) await once(request.resume(), "end");
          return response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
        }
        const { method, url, headers } = request;
        // The host was signed, so it stays.
        const onward = http.request(`${target()}${url}`, { method, headers, agent: this.#agent });
        onward.on("error", () => request.socket.destroy());
        onward.on("response", (answer) => {
          if (name !== "OPTIONS") this.passed.push(name);
          if (fault === "lose") {
            answer.resume();
            request.socket.destroy();
            return;
          }
          response.writeHead(answer.statusCode ?? 0, answer.headers);
          answer.pipe(response);
        });
        if (method === "POST") return onward.end(Buffer.concat(chunks));
        if (fault === "half") {
          request.once("data", (chunk) => {
            onward.write(chunk);
            request.socket.destroy();
            onward.destroy();
          });
          return;
        }
        request.pipe(onward);
        request.on("close", () => request.complete || onward.destroy());
      } catch {
        request.socket.destroy();
      }
    });
    this.#server.keepAliveTimeout = 60_000;
  }
}

/** A server whose clients reach both its doors through proxies. @param {import("node:test").TestContext} t */
export async function behindProxies(t, settings = {}) {
  /** @type {Server} */
  let server;
  const [app, s3] = [await Proxy.start(t, () => server.app), await Proxy.start(t, () => server.s3)];
  // The proxy is where people use the server.
  server = await Server.start(t, { "uploads.endpoint": s3.url, "server.public_url": app.url, ...settings });
  const token = await server.signUp("ada");
  return { server, app, s3, options: { endpoint: `${app.url}/graphql`, token, retry: QUICK } };
}
