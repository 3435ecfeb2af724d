// Sending a part from a page: XMLHttpRequest tells how much has gone out, which fetch does not.

/** Headers that browsers write themselves. */
const OWN = new Set(["content-length", "host"]);

/** @type {import("../index.js").Put} */
export function xhrPut(url, { headers, body, signal, onSent }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => {
      request.abort();
      reject(signal.reason);
    };
    signal.throwIfAborted();
    signal.addEventListener("abort", stop, { once: true });
    request.onloadend = () => signal.removeEventListener("abort", stop);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onload = () => {
      const { status } = request;
      const busy = status === 429 || status === 503;
      resolve({ status, text: request.responseText, retryAfter: busy ? request.getResponseHeader("retry-after") : null });
    };
    request.onerror = () => reject(new TypeError("the connection broke, or the store does not allow this page's origin"));
    request.open("PUT", url);
    for (const { name, value } of headers) if (!OWN.has(name.toLowerCase())) request.setRequestHeader(name, value);
    request.send(/** @type {Uint8Array<ArrayBuffer>} */ (body));
  });
}
