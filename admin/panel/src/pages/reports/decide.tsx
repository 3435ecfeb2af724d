// The decision on a report, and with it on all open ones of the same thing.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { perform } from "../../graphql/perform";
import { useViewer } from "../../session/viewer";
import { Button } from "../../ui/button";
import { Choices } from "../../ui/choices";
import { DecisionDialog, ReasonField, reasonOf } from "../../ui/decision";
import { useKeys } from "../../ui/keys";
import { count } from "../../ui/relative";
import { toast } from "../../ui/toasts";
import { PRESETS as REMOVAL_PRESETS } from "../files/words";
import { type Decision, RESOLVE, type ReportDetail } from "./documents";
import styles from "./inspector.module.css";
import { consequence, DECIDED, meaning, VERBS, whatOf } from "./words";

const PRESETS = {
  wrong: REMOVAL_PRESETS,
  right: ["Nothing is wrong with it", "Too little to go by"],
};

interface Props {
  report: ReportDetail;
  open: boolean;
  setOpen: (open: boolean) => void;
  onDecided: () => void;
  /** The dialog was closed without a decision: somebody else may have been first. */
  onGivenUp: () => void;
}

export function Decide({ report, open, setOpen, onDecided, onGivenUp }: Props) {
  const mine = useViewer().id === report.accused?.id;
  useKeys("Report", mine ? [] : [{ keys: "d", label: "Decide", run: () => setOpen(true) }]);
  const close = () => {
    setOpen(false);
    onGivenUp();
  };
  const decided = () => {
    setOpen(false);
    onDecided();
  };
  return (
    <>
      <Button disabled={mine} onClick={() => setOpen(true)}>
        Decide…
      </Button>
      {mine && <span className={styles.note}>It is about you: another admin decides.</span>}
      {open && <DecideDialog report={report} onDecided={decided} onClose={close} />}
    </>
  );
}

interface DialogProps {
  report: ReportDetail;
  onDecided: () => void;
  onClose: () => void;
}

function DecideDialog({ report, onDecided, onClose }: DialogProps) {
  const [decision, setDecision] = useState<Decision>();
  const { id, kind, accused } = report;
  const [reports, what] = [report.sameCount ?? 1, kind === "SNAP" ? "a snap" : whatOf(report)];
  // Of who is no more, or suspended already, nobody has to be.
  const decisions: Decision[] = ["DISMISS", "REMOVE"];
  if (accused?.status === "ACTIVE") decisions.push("REMOVE_AND_SUSPEND");
  decisions.push("REMOVE_AND_BLOCK");
  const act = async (form: FormData) => {
    if (!decision) return;
    const { refusal, done } = await perform(
      RESOLVE,
      { id, decision, reason: reasonOf(form) },
      (data) => data.resolveReport,
    );
    if (refusal) return refusal;
    const [alert] = done.alerts;
    toast.done(
      `${count(done.resolvedCount, "report")} decided: ${DECIDED[decision].toLowerCase()}`,
      alert && (
        <>
          {done.alerts.length > 1 ? "Alerts were raised." : "An alert was raised."}{" "}
          <Link to="/alerts" search={{ item: alert.id }}>
            Show the alert
          </Link>
        </>
      ),
    );
    onDecided();
  };
  const removal = decision !== undefined && decision !== "DISMISS";
  return (
    <DecisionDialog
      title={reports > 1 ? `Decide ${count(reports, "report")} of ${what}` : `Decide the report of ${what}`}
      consequence={decision ? consequence(decision, report, report.evidence === "HELD") : "Choose what becomes of it."}
      verb={decision ? VERBS[decision] : "Decide"}
      look={removal ? "danger" : "primary"}
      phrase={decision === "REMOVE_AND_SUSPEND" && accused?.role === "ADMIN" ? accused.username : undefined}
      ready={decision !== undefined}
      act={act}
      onClose={onClose}
    >
      <Choices
        label="Decision"
        value={decision}
        options={decisions.map((decision) => [decision, VERBS[decision], meaning(decision, report)])}
        onChange={setDecision}
      />
      <ReasonField
        hint={
          removal && kind === "FILE"
            ? "For the other admins and the audit log; the owner of the file reads it, too."
            : "For the other admins and the audit log."
        }
        presets={decision === "DISMISS" ? PRESETS.right : PRESETS.wrong}
      />
    </DecisionDialog>
  );
}
