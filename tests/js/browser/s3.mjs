// The embedded S3 server as its owner reaches it: requests signed with AWS Signature Version 4, for planting faults behind the
// server's back.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";

/** @param {string | Buffer} data */
const hash = (data) => createHash("sha256").update(data).digest("hex");
/** @param {string | Buffer} key @param {string} data */
const mac = (key, data) => createHmac("sha256", key).update(data).digest();
/** As RFC 3986 has it. @param {string} text */
const encoded = (text) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);

/** A bucket of the embedded S3 server. */
export class Bucket {
  #endpoint;
  #name;
  #region;
  #keyId;
  #secret;

  /** @param {import("../../../clients/uploader/test/support.js").Server} server @param {string} name @param {string} region */
  static async open(server, name, region) {
    const file = await readFile(`${server.data}/keys/s3-credentials.env`, "utf8");
    const value = (/** @type {string} */ key) => new RegExp(`^${key}=(.+)$`, "m").exec(file)?.[1] ?? "";
    return new Bucket(server.s3, name, region, value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
  }

  /** @param {string} endpoint @param {string} name @param {string} region @param {string} keyId @param {string} secret */
  constructor(endpoint, name, region, keyId, secret) {
    [this.#endpoint, this.#name, this.#region] = [endpoint, name, region];
    [this.#keyId, this.#secret] = [keyId, secret];
  }

  /** Keys with their sizes, in the order of the keys; of the first thousand. */
  async list() {
    const text = await this.#send("GET", "", { "list-type": "2" });
    const entries = text.matchAll(/<Contents>.*?<Key>(.*?)<\/Key>.*?<Size>(\d+)<\/Size>.*?<\/Contents>/gs);
    return [...entries].map(([, key, size]) => ({ key: String(key), size: Number(size) }));
  }

  /** @param {string} key @param {string} content */
  put = (key, content) => this.#send("PUT", key, {}, content);
  /** @param {string} key */
  delete = (key) => this.#send("DELETE", key);

  /** @param {string} method @param {string} key @param {Record<string, string>} query @param {string} body */
  async #send(method, key, query = {}, body = "") {
    const path = `/${[this.#name, ...key.split("/")].map(encoded).join("/")}`;
    const search = Object.entries(query).sort().map((pair) => pair.map(encoded).join("=")).join("&");
    const at = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const signed = /** @type {const} */ ([
      ["host", new URL(this.#endpoint).host],
      ["x-amz-content-sha256", hash(body)],
      ["x-amz-date", at],
    ]);
    const names = signed.map(([name]) => name).join(";");
    const lines = signed.map(([name, value]) => `${name}:${value}\n`).join("");
    const request = [method, path, search, lines, names, hash(body)].join("\n");
    const scope = [at.slice(0, 8), this.#region, "s3", "aws4_request"];
    const toSign = ["AWS4-HMAC-SHA256", at, scope.join("/"), hash(request)].join("\n");
    const key4 = scope.reduce((key, part) => mac(key, part), /** @type {string | Buffer} */ (`AWS4${this.#secret}`));
    const credential = `${this.#keyId}/${scope.join("/")}`;
    const signature = mac(key4, toSign).toString("hex");
    const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
    // The host is set by `fetch`.
    const headers = { ...Object.fromEntries(signed.slice(1)), authorization };
    const content = method === "PUT" ? { body } : {};
    const answer = await fetch(`${this.#endpoint}${path}${search && `?${search}`}`, { method, headers, ...content });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text;
  }
}
