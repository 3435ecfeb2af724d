// An application in TypeScript; it is compiled and never run.
import { localStore, type Progress, type Store, Upload, UploadError } from "../../../clients/uploader/index.js";
import { fileStore, openFile, Upload as NodeUpload, uploadFile } from "../../../clients/uploader/node.js";

const endpoint = "https://haven.example.org/graphql";

export async function inAPage(file: File, signal: AbortSignal): Promise<string> {
  const onProgress = ({ phase, bytesSent, bytesTotal }: Progress) => `${phase} ${bytesSent / bytesTotal}`;
  const upload = new Upload(file, { endpoint, credentials: "include", store: localStore(), signal, onProgress });
  try {
    return (await upload.done()).id;
  } catch (error) {
    if (error instanceof UploadError && error.code === "REJECTED") return error.rejection ?? "";
    await upload.abort();
    throw error;
  }
}

export async function inNode(path: string): Promise<number> {
  const store: Store = fileStore("/var/lib/application/uploads");
  const { size } = await uploadFile(path, { endpoint, token: async () => "t", store, tags: ["a"], metadata: { a: 1 } });
  const source = await openFile(path);
  // @ts-expect-error: an upload has to know where.
  new NodeUpload(source, {});
  return size;
}
