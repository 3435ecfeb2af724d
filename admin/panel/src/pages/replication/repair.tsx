// Repairing findings: first what would be done, as the server says, then the order with the number that was seen. Nothing is done
// where there is another number by then.
import { useCallback, useEffect, useState } from "react";
import type { Fault } from "../../graphql/client";
import { useIdempotencyKey } from "../../graphql/idempotency";
import { perform } from "../../graphql/perform";
import { isAdmin, useViewer } from "../../session/viewer";
import { Button } from "../../ui/button";
import { DecisionDialog } from "../../ui/decision";
import decision from "../../ui/decision.module.css";
import { Dialog } from "../../ui/dialog";
import { Failure } from "../../ui/failure";
import { bytes, count, sentence } from "../../ui/relative";
import { type Plan, REPAIR, type Scope } from "./documents";
import styles from "./repair.module.css";
import { repairOf } from "./words";

interface Props {
  scope: Scope;
  onClose: () => void;
  /** With the id of the run that repairs them. */
  onOrdered: (run: string) => void;
}

/** What a repair would do, without doing it. */
function usePlan(scope: Scope) {
  const [plan, setPlan] = useState<Plan>();
  const [fault, setFault] = useState<Fault>();
  const of = JSON.stringify(scope);
  const read = useCallback(async () => {
    const input = { ...(JSON.parse(of) as Scope), dryRun: true };
    const { refusal, done } = await perform(REPAIR, { input }, ({ repairFindings }) => repairFindings);
    setFault(refusal);
    setPlan(done?.plan ?? undefined);
    return done?.plan ?? undefined;
  }, [of]);
  useEffect(() => {
    read();
  }, [read]);
  return { plan, fault, read };
}

export function RepairDialog(props: Props) {
  return isAdmin(useViewer()) ? <Order {...props} /> : <DryRun {...props} />;
}

function DryRun({ scope, onClose }: Props) {
  const { plan, fault } = usePlan(scope);
  return (
    <Dialog title="What a repair would do" onClose={onClose}>
      <Planned plan={plan} fault={fault} />
      <p>Only admins can repair.</p>
      <div className={decision.buttons}>
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}

function Order({ scope, onClose, onOrdered }: Props) {
  const { plan, fault, read } = usePlan(scope);
  const [beyondLimit, setBeyondLimit] = useState(false);
  const keyOf = useIdempotencyKey();
  const findings = plan?.findings ?? 0;
  const what = count(findings, "finding");
  const act = async () => {
    const order = { ...scope, dryRun: false, expectedCount: findings, beyondLimit };
    const input = { ...order, idempotencyKey: keyOf(order) };
    const { refusal, answer, done } = await perform(REPAIR, { input }, ({ repairFindings }) => repairFindings);
    if (done) {
      if (done.run) onOrdered(done.run.id);
      onClose();
      return undefined;
    }
    const error = answer?.userErrors[0];
    switch (error?.code) {
      case "COUNT_CHANGED":
      case "NOTHING_TO_REPAIR": {
        const now = (await read())?.findings ?? 0;
        const changed = `There are ${count(now, "finding")} now, not ${findings.toLocaleString("en")}.`;
        return { message: `${now === 0 ? "No finding is left to repair." : changed} Nothing was repaired.` };
      }
      case "TOO_MANY":
        if (error.field !== "beyondLimit") {
          return { message: `${error.message} Choose one kind of them first. Nothing was repaired.` };
        }
        setBeyondLimit(true);
        return {
          message: `${error.message} Nothing was repaired. So many at once may mean that a bucket, not its objects, is at fault: look at some of them before you go on.`,
        };
      default:
        return refusal;
    }
  };
  return (
    <DecisionDialog
      title="Repair"
      consequence="Each finding is looked at once more before anything is written. What is well by then, was deleted or has changed stays as it is."
      verb={plan ? `Repair ${what}` : "Repair"}
      look={beyondLimit ? "danger" : "primary"}
      phrase={beyondLimit ? `repair ${what}` : undefined}
      ready={findings > (plan?.beyondRepair ?? 0)}
      act={act}
      onClose={onClose}
    >
      <Planned plan={plan} fault={fault} />
    </DecisionDialog>
  );
}

function Planned({ plan, fault }: { plan: Plan | undefined; fault: Fault | undefined }) {
  if (fault) return <Failure {...fault} />;
  if (!plan) return <p role="status">Working out what a repair would do…</p>;
  if (plan.findings === 0) return <p role="status">There is nothing to repair.</p>;
  return (
    <section className={styles.plan} aria-label="What a repair would do">
      <p role="status">
        <b>{count(plan.findings, "finding")}</b>, {bytes(plan.size)}
        {plan.beyondRepair > 0 && `; ${plan.beyondRepair.toLocaleString("en")} of them beyond repair`}
      </p>
      <ul>
        {plan.byKind.map(({ kind, findings }) => (
          <li key={kind}>
            <b>{findings.toLocaleString("en")}</b>
            <span>{sentence(kind)}</span>
            <small>{repairOf(kind)}</small>
          </li>
        ))}
      </ul>
    </section>
  );
}
