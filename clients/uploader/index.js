// Uploads of any size from a page, straight to the store, that resume. For Node there is ./node.js.
import { Upload as AnyUpload } from "./src/upload.js";
import { xhrPut } from "./src/xhr.js";

export { UploadError } from "./src/error.js";
export { localStore } from "./src/store.js";

/** An upload whose parts go out by XMLHttpRequest, unless `put` says how. */
export class Upload extends AnyUpload {
  /**
   * @param {import("./index.js").Source} source
   * @param {import("./index.js").UploadOptions} options
   */
  constructor(source, options) {
    super(source, { put: typeof XMLHttpRequest === "function" ? xhrPut : undefined, ...options });
  }
}
