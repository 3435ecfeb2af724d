// Suspending, reinstating, and giving roles: what follows is said first, and what stands in the way is said instead.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { perform } from "../../graphql/perform";
import { useViewer } from "../../session/viewer";
import { Button } from "../../ui/button";
import { Choices } from "../../ui/choices";
import { DecisionDialog, ReasonField, reasonOf } from "../../ui/decision";
import { sentence } from "../../ui/relative";
import { toast } from "../../ui/toasts";
import { REINSTATE, type Role, SET_ROLE, SUSPEND, type UserRow } from "./documents";
import styles from "./page.module.css";

const PRESETS = ["Illegal content", "Harassment", "Spam", "Account taken over"];

const ROLES: Record<Role, string> = {
  USER: "Their own files, friends and snaps; not this panel.",
  OPERATOR: "Also overview, jobs, alerts and erasures, to look at; nobody's files.",
  ADMIN: "Also everybody's files and accounts, and all that this panel does. An alert is raised.",
};

type Action = "suspend" | "reinstate" | "role";

/** What can be done with an account, and why not where it cannot. */
export function UserActions({ user }: { user: UserRow }) {
  const me = useViewer().id === user.id;
  const [pending, setPending] = useState<Action>();
  const close = () => setPending(undefined);
  const closing = user.status === "CLOSING" ? "Closed by its owner, and being erased" : undefined;
  const suspended = user.status === "SUSPENDED";
  const barred = {
    suspend: closing ?? (me ? "You cannot suspend yourself: another admin can" : undefined),
    role: closing ?? (suspended ? "A role is given once they are reinstated" : undefined),
  };
  const reasons = [...new Set([barred.suspend, barred.role].filter(Boolean))];
  return (
    <>
      {suspended ? (
        <Button onClick={() => setPending("reinstate")}>Reinstate…</Button>
      ) : (
        <Button disabled={barred.suspend !== undefined} title={barred.suspend} onClick={() => setPending("suspend")}>
          Suspend…
        </Button>
      )}
      <Button disabled={barred.role !== undefined} title={barred.role} onClick={() => setPending("role")}>
        Change role…
      </Button>
      {reasons.length > 0 && <span className={styles.note}>{reasons.join(". ")}.</span>}
      {pending === "suspend" && <SuspendDialog user={user} onClose={close} />}
      {pending === "reinstate" && <ReinstateDialog user={user} onClose={close} />}
      {pending === "role" && <RoleDialog user={user} me={me} onClose={close} />}
    </>
  );
}

function tell(title: string, alert: { id: string } | null | undefined) {
  const link = alert && (
    <>
      An alert was raised.{" "}
      <Link to="/alerts" search={{ item: alert.id }}>
        Show the alert
      </Link>
    </>
  );
  toast.done(title, link);
}

interface DialogProps {
  user: UserRow;
  onClose: () => void;
}

function SuspendDialog({ user: { id, username, role }, onClose }: DialogProps) {
  const act = async (form: FormData) => {
    const { refusal, done } = await perform(SUSPEND, { id, reason: reasonOf(form) }, ({ suspendUser }) => suspendUser);
    if (refusal) return refusal;
    tell(`${username} is suspended`, done.alert);
    onClose();
  };
  return (
    <DecisionDialog
      title={`Suspend ${username}`}
      consequence="Every session and token of theirs ends at once, open connections within seconds, and nobody can log in. Share links stop working. Files and friendships stay. An alert is raised."
      verb="Suspend"
      look="danger"
      phrase={role === "ADMIN" ? username : undefined}
      act={act}
      onClose={onClose}
    >
      <ReasonField hint="For the other admins; in the alert and the audit log." presets={PRESETS} />
    </DecisionDialog>
  );
}

function ReinstateDialog({ user: { id, username, suspension }, onClose }: DialogProps) {
  const act = async () => {
    const { refusal } = await perform(REINSTATE, { id }, ({ reinstateUser }) => reinstateUser);
    if (refusal) return refusal;
    toast.done(`${username} is reinstated`);
    onClose();
  };
  return (
    <DecisionDialog
      title={`Reinstate ${username}`}
      consequence="They can log in again. Sessions and tokens that ended stay ended."
      verb="Reinstate"
      look="primary"
      act={act}
      onClose={onClose}
    >
      {suspension && <p>Suspended for: {suspension.reason}</p>}
    </DecisionDialog>
  );
}

function RoleDialog({ user: { id, username, role: current }, me, onClose }: DialogProps & { me: boolean }) {
  const [role, setRole] = useState<Role>(current ?? "USER");
  const act = async () => {
    const { refusal, done } = await perform(SET_ROLE, { id, role }, ({ setUserRole }) => setUserRole);
    if (refusal) return refusal;
    // Who is no admin any more has other pages.
    if (me) return location.assign("/admin/") as undefined;
    tell(`${username} has the role ${sentence(role)}`, done.alert);
    onClose();
  };
  return (
    <DecisionDialog
      title={`Role of ${username}`}
      consequence={
        me
          ? "This is your own account: you lose what the new role does not have, at once."
          : "It holds at once, in every session of theirs."
      }
      verb="Give role"
      look="primary"
      ready={role !== current}
      act={act}
      onClose={onClose}
    >
      <Choices
        label="Role"
        value={role}
        options={(Object.keys(ROLES) as Role[]).map((name) => [name, sentence(name), ROLES[name]])}
        onChange={setRole}
      />
    </DecisionDialog>
  );
}
