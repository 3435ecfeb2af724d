// One report: who says what of whose, and what is left to look at.
import { useState } from "react";
import { useQuery } from "urql";
import { Id } from "../../ui/copy";
import { Facts, Inspector, Section } from "../../ui/inspector";
import { bytes, count, sentence } from "../../ui/relative";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { Waiting } from "../../ui/wait";
import { History } from "../audit/history";
import { Person } from "../users/person";
import { Decide } from "./decide";
import { REPORT, type ReportDetail, type ReportRow } from "./documents";
import { Evidence } from "./evidence";
import styles from "./inspector.module.css";
import { DECIDED, factsOf, whatOf } from "./words";

interface Props {
  id: string;
  onDecided: (report: ReportRow) => void;
  onClose: () => void;
}

export function ReportInspector({ id, onDecided, onClose }: Props) {
  // Also where somebody else was first: what stood in the way stays in the dialog.
  const [deciding, setDeciding] = useState(false);
  const [{ data, error, fetching }, again] = useQuery({
    query: REPORT,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const report = data?.node?.__typename === "Report" ? data.node : undefined;
  if (!data || !report) return <Waiting id={id} noun="report" {...{ error, fetching, again, onClose }} />;
  const readAgain = () => again({ requestPolicy: "network-only" });
  return (
    <Inspector
      title={`${sentence(report.category)}: ${whatOf(report)}`}
      onClose={onClose}
      actions={
        (report.state === "OPEN" || deciding) && (
          <Decide
            report={report}
            open={deciding}
            setOpen={setDeciding}
            onDecided={() => onDecided(report)}
            onGivenUp={readAgain}
          />
        )
      }
    >
      {report.comment && <blockquote className={styles.comment}>{report.comment}</blockquote>}
      <Facts
        facts={[
          ["State", <Status key="state" value={report.state} />],
          [report.kind === "SNAP" ? "Sender" : "Owner", <Person key="accused" person={report.accused} />],
          ["Reported by", <Person key="reporter" person={report.reporter} />],
          ["Reported", <Time key="at" at={report.createdAt} />],
          ["Same thing", report.state === "OPEN" && `${count(report.sameCount ?? 1, "open report")}, with this one`],
          ["Upheld before", `${count(report.upheldCount ?? 0, "report")} about the same person`],
        ]}
      />
      {report.state === "RESOLVED" && <Decided report={report} />}
      <Section title="What there is to look at">
        <Evidence report={report} onSeen={readAgain} />
      </Section>
      <AsReported report={report} />
      <History subject={id} entries={data.history} />
    </Inspector>
  );
}

function Decided({ report }: { report: ReportDetail }) {
  return (
    <Section title="Decision">
      <Facts
        facts={[
          ["Decided", report.decision && DECIDED[report.decision]],
          ["Reason", report.decisionReason],
          ["By", <Person key="by" person={report.decidedBy} />],
          ["When", report.decidedAt && <Time at={report.decidedAt} />],
        ]}
      />
    </Section>
  );
}

function AsReported({ report }: { report: ReportDetail }) {
  const { name, caption, contentType, size, width, height } = factsOf(report);
  return (
    <Section title="When it was reported">
      <Facts
        facts={[
          ["Name", name],
          ["Caption", caption],
          ["Type", contentType],
          ["Size", size !== undefined && bytes(size)],
          ["Pixels", width && height && `${width} × ${height}`],
          ["SHA-256", report.sha256 && <Id id={report.sha256} what="SHA-256" />],
          ["Its id", <Id key="subject" id={report.subjectId} what={report.kind === "SNAP" ? "snap id" : "file id"} />],
          ["Report", <Id key="id" id={report.id} what="report id" />],
        ]}
      />
    </Section>
  );
}
