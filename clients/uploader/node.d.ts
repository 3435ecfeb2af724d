import type { Source, Store, UploadedFile, UploadOptions } from "./index.js";

export { UploadError, Upload } from "./index.js";
export type {
  ConnectionOptions,
  Entry,
  Progress,
  Put,
  PutAnswer,
  PutRequest,
  Source,
  Store,
  UploadedFile,
  UploadOptions,
} from "./index.js";

/** A file on disk. */
export interface OpenFile extends Source {
  readonly path: string;
  readonly name: string;
  readonly lastModified: number;
  read(from: number, room: Uint8Array): Promise<Uint8Array>;
  unchanged(): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens a file to upload it; close it afterwards. */
export function openFile(path: string): Promise<OpenFile>;

/** Opens a file, uploads it and closes it. */
export function uploadFile(path: string, options: UploadOptions): Promise<UploadedFile>;

/** Keeps entries in a folder, one JSON file each; several programs may use it at once. */
export function fileStore(folder: string): Store;
