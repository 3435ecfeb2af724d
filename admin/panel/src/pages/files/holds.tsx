// Legal holds: as long as a file has one, nothing of it is deleted. Placing and releasing them, and the mark of a held file.
import { useState } from "react";
import { useIdempotencyKey } from "../../graphql/idempotency";
import { perform } from "../../graphql/perform";
import { Button } from "../../ui/button";
import { DecisionDialog, ReasonField, reasonOf } from "../../ui/decision";
import { Icon } from "../../ui/icon";
import { Section } from "../../ui/inspector";
import { ObjectLink } from "../../ui/jump";
import { count } from "../../ui/relative";
import { Time, useNow } from "../../ui/time";
import { toast } from "../../ui/toasts";
import { type FileDetail, type Hold, PLACE_HOLD, RELEASE_HOLD } from "./documents";
import styles from "./holds.module.css";

/** By how much the clocks of the server and the browser may differ. */
const CLOCKS_MS = 60_000;
const PRESETS = ["Court order", "Police request", "Dispute over it"];

export function HeldMark() {
  return (
    <span role="img" aria-label="Under a legal hold" title="Under a legal hold" className={styles.mark}>
      <Icon name="lock" />
    </span>
  );
}

/** Whether its deletion was asked for, or its time in the trash is over, and a hold alone keeps it. */
export function useKeptByHold({ isHeld, purgeAt }: { isHeld: boolean; purgeAt: string | null }) {
  const now = useNow();
  return isHeld && purgeAt !== null && Date.parse(purgeAt) <= now + CLOCKS_MS;
}

/** When a file in the trash is deleted. */
export function Deletion({ file }: { file: { isHeld: boolean; purgeAt: string | null } }) {
  const kept = useKeptByHold(file);
  if (kept) return "when its hold ends";
  return file.purgeAt ? <Time at={file.purgeAt} /> : "never";
}

export function Holds({ file }: { file: FileDetail }) {
  const [placing, setPlacing] = useState(false);
  const [releasing, setReleasing] = useState<Hold>();
  const unread = file.state === "PROCESSING" || file.state === "REJECTED";
  return (
    <Section title={file.isHeld ? "Legal holds" : "No legal hold"}>
      {file.isHeld && (
        <ul className={styles.list}>
          {file.legalHolds.map((hold) => (
            <li key={hold.id}>
              <span>
                {hold.reason}
                <small>
                  {hold.placedBy ? (
                    <ObjectLink id={hold.placedBy.id}>{hold.placedBy.username}</ObjectLink>
                  ) : (
                    "somebody who is no more"
                  )}
                  , <Time at={hold.placedAt} />
                </small>
              </span>
              <Button onClick={() => setReleasing(hold)}>Release…</Button>
            </li>
          ))}
        </ul>
      )}
      <Button disabled={unread} onClick={() => setPlacing(true)}>
        {file.isHeld ? "Place another hold…" : "Place a hold…"}
      </Button>
      {unread && <p className={styles.note}>It has no verified content that could be held.</p>}
      {placing && <PlaceDialog file={file} onClose={() => setPlacing(false)} />}
      {releasing && <ReleaseDialog file={file} hold={releasing} onClose={() => setReleasing(undefined)} />}
    </Section>
  );
}

interface DialogProps {
  file: FileDetail;
  onClose: () => void;
}

function PlaceDialog({ file: { id, name }, onClose }: DialogProps) {
  const keyOf = useIdempotencyKey();
  const act = async (form: FormData) => {
    const reason = reasonOf(form);
    const variables = { id, reason, key: keyOf(id, reason) };
    const { refusal } = await perform(PLACE_HOLD, variables, ({ placeLegalHold }) => placeLegalHold);
    if (refusal) return refusal;
    toast.done(`${name} is under a legal hold`);
    onClose();
  };
  return (
    <DecisionDialog
      title={`Hold ${name}`}
      consequence="Everything that it is, was and will be is kept, whoever wants it deleted, until the hold is released. Its owner reads that it is held, not why."
      verb="Place the hold"
      look="primary"
      act={act}
      onClose={onClose}
    >
      <ReasonField hint="For the other admins and the audit log." presets={PRESETS} />
    </DecisionDialog>
  );
}

function ReleaseDialog({ file, hold, onClose }: DialogProps & { hold: Hold }) {
  const kept = useKeptByHold(file);
  const others = file.legalHolds.length - 1;
  const last = others === 0;
  const act = async () => {
    const { refusal } = await perform(RELEASE_HOLD, { id: hold.id }, ({ releaseLegalHold }) => releaseLegalHold);
    if (refusal) return refusal;
    toast.done(`The hold of ${file.name} is released`);
    onClose();
  };
  return (
    <DecisionDialog
      title={`Release the hold of ${file.name}`}
      consequence={consequence(others, kept)}
      verb="Release"
      look={last && kept ? "danger" : "primary"}
      phrase={last && kept ? "delete 1 file" : undefined}
      act={act}
      onClose={onClose}
    >
      <p>Placed for: {hold.reason}</p>
    </DecisionDialog>
  );
}

function consequence(others: number, kept: boolean) {
  if (others > 0) return `It stays held: there ${others === 1 ? "is" : "are"} ${count(others, "other hold")}.`;
  if (kept) return "It was deleted meanwhile: it is deleted for good now, in both regions. This cannot be undone.";
  return "It can be deleted again. Versions beyond those that are kept go now; in the trash its time goes on.";
}
