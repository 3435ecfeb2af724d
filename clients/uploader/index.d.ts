/** What is uploaded: a browser's `File`, a `Blob` together with the option `name`, or what `openFile` gives in Node. */
export interface Source {
  readonly name?: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. Without it an upload resumes by itself only with the option `fingerprint`. */
  readonly lastModified?: number;
  slice(from: number, to: number): { arrayBuffer(): Promise<ArrayBuffer> };
  /** Fills `room` from this position on, and gives the part of it that was filled. Saves memory where it is there. */
  read?(from: number, room: Uint8Array): Promise<Uint8Array>;
  /** Whether the content is still the one that was opened; asked before the completion. */
  unchanged?(): Promise<boolean>;
}

export interface ConnectionOptions {
  /** Of the server's GraphQL: `https://haven.example.org/graphql`. */
  endpoint: string;
  /** A bearer token, or what gives one for each request, so that a short-lived one can be renewed. */
  token?: string | (() => string | Promise<string>);
  /** As in `fetch`: "include" sends the session's cookie to a server of another origin. Default "same-origin". */
  credentials?: "omit" | "same-origin" | "include";
  /** Further headers of GraphQL requests. */
  headers?: Record<string, string>;
  /** For GraphQL requests, instead of the global one. */
  fetch?: typeof fetch;
}

export interface UploadOptions extends ConnectionOptions {
  /** Default: the source's. */
  name?: string;
  description?: string;
  tags?: string[];
  /** A JSON object. */
  metadata?: Record<string, unknown>;
  /** Only where it is certain: a content that turns out to be of another type is rejected. */
  contentType?: string;
  /** Of the whole content, in hex, where it is known: another content is rejected. */
  sha256?: string;
  /** Parts under way at once, each of which is in memory. Default 4. */
  parallel?: number;
  /** Pauses the upload: `done()` fails with the signal's reason, and the session stays for another `Upload` to resume. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Remembers the upload, so that the next one of the same file resumes it by itself. */
  store?: Store;
  /** What tells the file apart for `store`, where name, size and time of change do not. */
  fingerprint?: string;
  /** A session to resume, begun elsewhere. */
  sessionId?: string;
  /** How often one request is tried (9), and milliseconds before the second attempt (500) and between later ones (30,000). */
  retry?: { attempts?: number; minDelay?: number; maxDelay?: number };
  /** Milliseconds after which a part that makes no progress is sent again. Default 60,000. */
  stallTimeout?: number;
  /** Sends one part. Default: by XMLHttpRequest in browsers, by node:http in Node. */
  put?: Put;
}

export interface Progress {
  /**
   * "hashing": what arrived before is compared with the file; "sending": parts go out; "verifying": the server reads them
   * back; "done".
   */
  phase: "hashing" | "sending" | "verifying" | "done";
  /** What has gone out, with what had arrived before. */
  bytesSent: number;
  /** What the server has read back. */
  bytesVerified: number;
  bytesTotal: number;
}

/** The finished file. */
export interface UploadedFile {
  id: string;
  name: string;
  state: "ACTIVE";
  size: number;
  /** Hex. */
  sha256: string;
  contentType: string;
  revision: number;
  createdAt: string;
}

/** What a store keeps of an upload. JSON. */
export interface Entry {
  idempotencyKey: string;
  /** From the answer to `createUpload` on. */
  sessionId?: string;
  name: string;
  size: number;
  /** When the server gives the upload up, and the entry is worth nothing. */
  expiresAt: string;
}

export interface Store {
  get(key: string): Promise<Entry | undefined>;
  set(key: string, entry: Entry): Promise<void>;
  delete(key: string): Promise<void>;
}

export interface PutRequest {
  /** To be sent as they are; browsers write Content-Length themselves. */
  headers: { name: string; value: string }[];
  body: Uint8Array;
  signal: AbortSignal;
  /** Takes how many bytes have gone out so far. */
  onSent(bytes: number): void;
}

export interface PutAnswer {
  status: number;
  /** The body: an error document of S3, or nothing. */
  text: string;
  /** The header `Retry-After`. */
  retryAfter: string | null;
}

/** Sends a part. Fails where there is no answer. */
export type Put = (url: string, request: PutRequest) => Promise<PutAnswer>;

/** Why an upload did not go on. */
export class UploadError extends Error {
  constructor(
    code: string,
    message: string,
    more?: { cause?: unknown; field?: string; rejection?: string; status?: number; sessionId?: string },
  );
  readonly name: "UploadError";
  /**
   * The server's where it gave one (`TOO_LARGE`, `INVALID_NAME`, `UNAUTHENTICATED`, `UNAVAILABLE`, …); else `NETWORK`,
   * `HTTP`, `PART_REFUSED`, `NO_SUCH_UPLOAD`, `SESSION_ENDED`, `REJECTED`, `ABORTED`, `NOT_FOUND`, `FILE_CHANGED`,
   * `FILE_UNREADABLE` or `INSECURE_CONTEXT`.
   */
  code: string;
  /** The input field that the server refused. */
  field?: string;
  /** With `REJECTED`: `WRONG_HASH`, `WRONG_SIZE`, `WRONG_TYPE`, `ALTERED` or `FAILED`. */
  rejection?: string;
  /** The HTTP status that it ended with. */
  status?: number;
  /** The session it was about; unless that has ended, it can be resumed. */
  sessionId?: string;
}

/** One file on its way. */
export class Upload {
  constructor(source: Source, options: UploadOptions);
  /** Once there is a session: with it, another process or machine can go on. */
  readonly sessionId: string | undefined;
  readonly progress: Progress;
  /**
   * Starts at the first call, and gives the file once it is ACTIVE. Fails with `UploadError`, or with the reason of the
   * signal that paused it.
   */
  done(): Promise<UploadedFile>;
  /** Gives the upload up: nothing of it stays on the server, and `done()` fails with the code `ABORTED`. */
  abort(): Promise<void>;
}

/** Keeps entries in `localStorage`. */
export function localStore(): Store;
