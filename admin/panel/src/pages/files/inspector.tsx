// All there is to know of one file: picture, owner, hash, where every copy is, versions, links, and proof where it is gone.
import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { Id } from "../../ui/copy";
import { Failure } from "../../ui/failure";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { ObjectLink } from "../../ui/jump";
import { Receipt } from "../../ui/receipt";
import { bytes, count, sentence } from "../../ui/relative";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { History } from "../audit/history";
import { ActionButtons, OFFERED_FOR_ONE } from "./actions";
import { FILE, type FileDetail, type FileErasure, type FileRow } from "./documents";
import { Deletion, Holds } from "./holds";
import styles from "./inspector.module.css";
import { Picture } from "./picture";
import { Timeline } from "./timeline";
import type { Action } from "./words";

const PREVIEW_HEIGHT = 320;

interface Props {
  id: string;
  onChoose: (action: Action, files: readonly FileRow[]) => void;
  onClose: () => void;
}

export function FileInspector({ id, onChoose, onClose }: Props) {
  const [{ data, error, fetching }, again] = useQuery({
    query: FILE,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const file = data?.node?.__typename === "File" ? data.node : undefined;
  const erasures = data?.erasures.nodes ?? [];
  const history = data && (
    <>
      <Timeline entries={data.fileTimeline} />
      {data.fileTimeline.length > 0 && <Receipt id={id} />}
      <History subject={id} entries={data.history} />
    </>
  );
  if (file) {
    return (
      <Inspector
        title={file.name}
        onClose={onClose}
        actions={
          <ActionButtons
            actions={OFFERED_FOR_ONE[file.state]}
            files={[file]}
            onChoose={(action) => onChoose(action, [file])}
          />
        }
      >
        <Details file={file} />
        {history}
        <Erasures erasures={erasures} fileId={id} />
      </Inspector>
    );
  }
  const missing = erasures.length > 0 ? "It was deleted for good." : undefined;
  return (
    <Waiting id={id} noun="file" {...{ error, fetching, missing, again, onClose }}>
      {history}
      <Erasures erasures={erasures} fileId={id} />
    </Waiting>
  );
}

/** As wide as there is room, and no higher than a part of it. */
function fitted(width: number, height: number) {
  return {
    aspectRatio: `${width} / ${height}`,
    width: `min(100%, ${Math.round((PREVIEW_HEIGHT * width) / height)}px)`,
  };
}

function Details({ file }: { file: FileDetail }) {
  const metadata = Object.keys(file.metadata ?? {}).length > 0 ? JSON.stringify(file.metadata, null, 2) : undefined;
  return (
    <>
      {file.preview && (
        <div className={styles.preview} style={fitted(file.width ?? 4, file.height ?? 3)}>
          <Picture url={file.preview.url} thumbhash={file.thumbhash} alt={`Preview of ${file.name}`} whole />
        </div>
      )}
      {file.preview && !file.preview.url && file.state !== "ACTIVE" && (
        <p className={styles.note}>Pictures are shown again once the file is active.</p>
      )}
      {file.preview?.error && <Failure message={`No preview: ${file.preview.error}`} />}
      <Facts
        facts={[
          ["State", <Status key="state" value={file.state} />],
          ["Deletion", file.purgeAt && <Deletion file={file} />],
          [
            "Removed by",
            file.removal?.by && <ObjectLink id={file.removal.by.id}>{file.removal.by.username}</ObjectLink>,
          ],
          ["Reason", file.removal?.reason],
          ["In the trash", file.trashedAt && <Time at={file.trashedAt} />],
          ["Refused for", file.rejection && sentence(file.rejection)],
          [
            "Owner",
            <ObjectLink key="owner" id={file.owner.id}>
              {file.owner.username}
            </ObjectLink>,
          ],
          ["Description", file.description],
          ["Tags", file.tags.join(", ")],
          ["Type", file.contentType],
          ["Size", `${bytes(file.size)} (${count(file.size, "byte")})`],
          ["Pixels", file.width && file.height && `${file.width} × ${file.height}`],
          ["Uploaded", <Time key="created" at={file.createdAt} />],
          ["Changed", file.updatedAt !== file.createdAt && <Time at={file.updatedAt} />],
          ["SHA-256", file.sha256 && <Id id={file.sha256} what="SHA-256" />],
          ["Id", <Id key="id" id={file.id} what="file id" />],
          ["Metadata", metadata && <pre className={styles.json}>{metadata}</pre>],
          ["Original", file.downloadUrl && <a href={file.downloadUrl.url}>Download</a>],
        ]}
      />
      <Holds file={file} />
      <Section title="Where every copy is">
        <ul className={styles.list}>
          {file.copies.map((copy) => (
            <li key={`${copy.region}/${copy.bucket}`}>
              <span>
                {copy.region} <small>{sentence(copy.role)}</small>
              </span>
              <Status value={copy.state} />
              <small>
                {copy.verifiedAt ? (
                  <>
                    {copy.proof && `${sentence(copy.proof)}, `}
                    <Time at={copy.verifiedAt} />
                  </>
                ) : (
                  "not confirmed yet"
                )}
                {copy.sha256 && file.sha256 && copy.sha256 !== file.sha256 && " — another hash"}
              </small>
            </li>
          ))}
        </ul>
      </Section>
      <Section
        title={
          file.versions.pageInfo.hasNextPage ? "The last 20 versions" : count(file.versions.nodes.length, "version")
        }
      >
        <ul className={styles.list}>
          {file.versions.nodes.map((version) => (
            <li key={version.id}>
              <span>
                {version.number} {version.isCurrent && <small>current</small>}
                {version.restoredFrom && <small>from {version.restoredFrom}</small>}
              </span>
              <span>{bytes(version.size)}</span>
              <small>
                <Time at={version.createdAt} />
              </small>
            </li>
          ))}
        </ul>
      </Section>
      {file.shareLinks.nodes.length > 0 && (
        <Section title="Share links">
          <ul className={styles.list}>
            {file.shareLinks.nodes.map((link) => (
              <li key={link.id}>
                <Status value={link.state} />
                <span>
                  {link.downloads} of {link.maxDownloads} downloads
                </span>
                <small>
                  until <Time at={link.expiresAt} />
                </small>
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}

function Erasures({ erasures, fileId }: { erasures: readonly FileErasure[]; fileId: string }) {
  if (erasures.length === 0) return null;
  return (
    <Section title="Erased from it">
      <ul className={styles.list}>
        {erasures.map((erasure) => (
          <li key={erasure.id}>
            <span>
              {sentence(erasure.kind)} <small>{erasure.reason && sentence(erasure.reason)}</small>
            </span>
            <Status value={erasure.erasedAt ? "PROVEN" : "UNDER_WAY"} />
            <small>{erasure.erasedAt && <Time at={erasure.erasedAt} />}</small>
          </li>
        ))}
      </ul>
      <p>
        <Link to="/erasures" search={{ file: fileId }}>
          See the proof
        </Link>
      </p>
    </Section>
  );
}
