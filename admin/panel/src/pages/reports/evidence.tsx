// What is left of a reported thing to look at: the file, or the picture of a snap while it is held. To look at a snap is an
// act that is written down, so it takes a click.
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import { Button } from "../../ui/button";
import { Failure } from "../../ui/failure";
import { Status } from "../../ui/status";
import { Picture } from "../files/picture";
import type { ReportDetail } from "./documents";
import styles from "./inspector.module.css";

interface Props {
  report: ReportDetail;
  onSeen: () => void;
}

export function Evidence({ report, onSeen }: Props) {
  switch (report.evidence) {
    case "FILE":
      return <ReportedFile file={report.file} />;
    case "HELD":
      return report.evidenceUrl && <HeldPicture url={report.evidenceUrl} onSeen={onSeen} />;
    case "RELEASED":
      return (
        <p className={styles.note}>
          The picture was kept until the decision, or for as long as such are kept. It is kept no more.
        </p>
      );
    default:
      return (
        <p className={styles.note}>
          The snap had ended when it was reported: there is no picture any more. Its hash and its facts are left.
        </p>
      );
  }
}

function ReportedFile({ file }: { file: ReportDetail["file"] }) {
  if (!file) return <p className={styles.note}>The file was deleted for good. Its hash and its facts are left.</p>;
  return (
    <>
      {file.preview && (
        <div className={styles.preview}>
          <Picture url={file.preview.url} thumbhash={file.thumbhash} alt={`Preview of ${file.name}`} whole />
        </div>
      )}
      <p>
        <Status value={file.state} />{" "}
        <Link to="/files" search={{ item: file.id }} className={styles.link}>
          Show {file.name} in Files
        </Link>
      </p>
    </>
  );
}

function HeldPicture({ url, onSeen }: { url: string; onSeen: () => void }) {
  const [looking, setLooking] = useState(false);
  const [failed, setFailed] = useState(false);
  const noteId = useId();
  const look = () => {
    setFailed(false);
    setLooking(true);
  };
  if (failed) {
    const message = "The picture cannot be shown. It is there until the decision of any admin.";
    return <Failure message={message} action={<Button onClick={look}>Try again</Button>} />;
  }
  if (!looking) {
    return (
      <div className={styles.look}>
        <Button aria-describedby={noteId} onClick={look}>
          Look at the picture
        </Button>
        <p id={noteId} className={styles.note}>
          This is written to the audit log.
        </p>
      </div>
    );
  }
  // Under the name by which the panel was reached: the session's cookie is that one's.
  const { pathname } = new URL(url);
  return (
    <img
      src={pathname}
      alt="What was reported"
      className={styles.held}
      onLoad={onSeen}
      onError={() => {
        setLooking(false);
        setFailed(true);
      }}
    />
  );
}
