// Sending a part from Node: from the buffer that was hashed, with no copy of it, and with its progress.
import http from "node:http";
import https from "node:https";

const CHUNK = 1 << 20;
/** An error document is small. */
const MOST_TEXT = 64 << 10;

const agents = {
  "http:": new http.Agent({ keepAlive: true }),
  "https:": new https.Agent({ keepAlive: true }),
};

/** @type {import("../index.js").Put} */
export function httpPut(url, { headers, body, signal, onSent }) {
  return new Promise((resolve, reject) => {
    const secure = url.startsWith("https:");
    const outgoing = (secure ? https : http).request(url, {
      method: "PUT",
      agent: agents[secure ? "https:" : "http:"],
      headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
      signal,
    });
    outgoing.on("error", reject);
    outgoing.on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => {
        if (text.length < MOST_TEXT) text += chunk;
      });
      answer.on("error", reject);
      answer.on("end", () => {
        resolve({ status: answer.statusCode ?? 0, text, retryAfter: answer.headers["retry-after"] ?? null });
      });
    });
    let at = 0;
    const next = (/** @type {Error | null | undefined} */ error = null) => {
      if (error || outgoing.destroyed) return;
      if (at > 0) onSent(at);
      if (at === body.length) {
        outgoing.end();
        return;
      }
      const chunk = body.subarray(at, at + CHUNK);
      at += chunk.length;
      outgoing.write(chunk, next);
    };
    outgoing.setHeader("content-length", body.length);
    next();
  });
}
