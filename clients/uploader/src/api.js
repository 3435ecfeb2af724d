// The GraphQL requests of an upload. Every one of them may be repeated, so every one is, until it is answered.
import { UploadError } from "./error.js";
import { Passing, isPassing, retryAfter, retrying, unreachable } from "./retry.js";

const SESSION = `id state name size partSize partCount verifiedSize rejection expiresAt
  file { id name state size sha256 contentType revision createdAt }`;
const ERRORS = "userErrors { code field message }";

/** The server signs so many parts at once. */
const MAX_SIGNED = 100;
/** A page of parts. */
const MAX_LISTED = 1000;
/** A request is given up after this time, and sent again. */
const TIMEOUT = 70_000;

/** @typedef {{ url: string, headers: { name: string, value: string }[] }} SignedPart */

export class Api {
  /** @type {{ number: number, sha256: string, resolve: (part: SignedPart) => void, reject: (error: unknown) => void }[]} */
  #unsigned = [];
  #signing = false;

  /**
   * @param {import("../index.js").ConnectionOptions} options
   * @param {import("./retry.js").RetryOptions} retry
   * @param {AbortSignal} signal
   */
  constructor({ endpoint, token, credentials, headers, fetch = globalThis.fetch }, retry, signal) {
    this.endpoint = endpoint;
    this.token = token;
    this.credentials = credentials;
    this.headers = headers;
    // A bare `fetch` may not be called as somebody's method.
    this.fetch = /** @type {typeof globalThis.fetch} */ ((url, init) => fetch(url, init));
    this.retry = retry;
    this.signal = signal;
  }

  /** @param {Record<string, unknown>} input */
  async create(input) {
    return (await this.#mutate("createUpload", `uploadSession { ${SESSION} }`, input)).uploadSession;
  }

  /** The session, or null where it is not there, or another person's. @param {string} id */
  async session(id) {
    const query = `query ($id: ID!) { uploadSession(id: $id) { ${SESSION} } }`;
    return (await this.#request(query, { id })).uploadSession;
  }

  /** What S3 has, by number. @param {string} id */
  async parts(id) {
    const query = `query ($id: ID!, $after: Int!) { uploadSession(id: $id) { parts(after: $after) { number size sha256 } } }`;
    /** @type {Map<number, { size: number, sha256: string | null }>} */
    const found = new Map();
    for (let after = 0; ; ) {
      const { uploadSession } = await this.#request(query, { id, after });
      const page = uploadSession?.parts ?? [];
      for (const part of page) found.set(part.number, part);
      if (page.length < MAX_LISTED) return found;
      after = page.at(-1).number;
    }
  }

  /**
   * Those that are asked for while a request is under way go together in the next.
   * @param {string} id
   * @param {number} number
   * @param {string} sha256
   * @returns {Promise<SignedPart>}
   */
  sign(id, number, sha256) {
    const signed = new Promise((resolve, reject) => this.#unsigned.push({ number, sha256, resolve, reject }));
    if (!this.#signing) this.#signAll(id);
    return signed;
  }

  /** @param {string} id */
  async #signAll(id) {
    this.#signing = true;
    // Parts that are asked for in the same turn go along.
    await null;
    while (this.#unsigned.length > 0) {
      const batch = this.#unsigned.splice(0, MAX_SIGNED);
      try {
        const input = { id, parts: batch.map(({ number, sha256 }) => ({ number, sha256 })) };
        const { parts } = await this.#mutate("signUploadParts", "parts { number url headers { name value } }", input);
        batch.forEach(({ resolve }, at) => resolve(parts[at]));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#signing = false;
  }

  /** @param {string} id */
  async complete(id) {
    return (await this.#mutate("completeUpload", `uploadSession { ${SESSION} }`, { id })).uploadSession;
  }

  /** @param {string} id */
  async abort(id) {
    await this.#mutate("abortUpload", "uploadSession { id }", { id });
  }

  /**
   * @param {string} name
   * @param {string} fields
   * @param {Record<string, unknown>} input
   */
  async #mutate(name, fields, input) {
    const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${fields} ${ERRORS} } }`;
    const payload = (await this.#request(query, { input }))[name];
    const [error] = payload.userErrors;
    if (error) {
      throw new UploadError(error.code, error.message, {
        field: error.field ?? undefined,
        sessionId: /** @type {string | undefined} */ (input.id),
      });
    }
    return payload;
  }

  /**
   * @param {string} query
   * @param {Record<string, unknown>} variables
   */
  #request(query, variables) {
    return retrying(this.retry, this.signal, () => this.#attempt(query, variables));
  }

  /**
   * @param {string} query
   * @param {Record<string, unknown>} variables
   */
  async #attempt(query, variables) {
    /** @type {Record<string, string>} */
    const headers = {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json;q=0.9",
      ...this.headers,
    };
    const token = typeof this.token === "function" ? await this.token() : this.token;
    if (token) headers.authorization = `Bearer ${token}`;
    let response;
    let text;
    try {
      response = await this.fetch(this.endpoint, {
        method: "POST",
        headers,
        credentials: this.credentials ?? "same-origin",
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.any([this.signal, AbortSignal.timeout(TIMEOUT)]),
      });
      text = await response.text();
    } catch (error) {
      throw unreachable("a request to the server", error);
    }
    const { status } = response;
    let body = null;
    try {
      body = JSON.parse(text);
    } catch {
      // A proxy's page: the status tells.
    }
    const [error] = body?.errors ?? [];
    if (!error && status === 200 && body?.data) return body.data;
    const code = error?.extensions?.code;
    const told = new UploadError(code ?? "HTTP", error?.message ?? `the server answered ${status}`, { status });
    // What is cut off in the middle of an answer came with status 200.
    const passing = isPassing(status) || code === "UNAVAILABLE" || code === "INTERNAL" || (status === 200 && !body);
    if (passing) throw new Passing(told, { retryAfter: retryAfter(response.headers.get("retry-after")) });
    throw told;
  }
}
