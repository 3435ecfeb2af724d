// The uploader for Node: files by their path, parts by node:http, and a store on disk.
import { openFile } from "./src/node-file.js";
import { httpPut } from "./src/node-put.js";
import { Upload as AnyUpload } from "./src/upload.js";

export { UploadError } from "./src/error.js";
export { fileStore } from "./src/node-store.js";
export { openFile };

/** An upload whose parts go out by node:http, unless `put` says how. */
export class Upload extends AnyUpload {
  /**
   * @param {import("./index.js").Source} source
   * @param {import("./index.js").UploadOptions} options
   */
  constructor(source, options) {
    super(source, { put: httpPut, ...options });
  }
}

/**
 * Uploads the file at a path.
 * @param {string} path
 * @param {import("./index.js").UploadOptions} options
 */
export async function uploadFile(path, options) {
  const file = await openFile(path);
  try {
    return await new Upload(file, options).done();
  } finally {
    await file.close();
  }
}
