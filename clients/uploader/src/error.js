// The one error of this package.

/** Why an upload did not go on. `code` is for programs, `message` for people. */
export class UploadError extends Error {
  /**
   * @param {string} code The server's, where it gave one (`TOO_LARGE`, `UNAUTHENTICATED`, …), or one of this package's.
   * @param {string} message
   * @param {{ cause?: unknown, field?: string, rejection?: string, status?: number, sessionId?: string }} [more]
   */
  constructor(code, message, { cause, field, rejection, status, sessionId } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "UploadError";
    this.code = code;
    /** The input field that the server refused. */
    this.field = field;
    /** Why the server refused the content: `WRONG_HASH`, `WRONG_SIZE`, `WRONG_TYPE`, `ALTERED` or `FAILED`. */
    this.rejection = rejection;
    /** The HTTP status that it ended with. */
    this.status = status;
    /** The session that it was about; it can be resumed unless it has ended. */
    this.sessionId = sessionId;
  }
}
