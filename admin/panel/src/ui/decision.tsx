// One form for every decision: what it is about, what follows from it beside the button, and what stood in its way.
import { type ReactNode, startTransition, useActionState, useId, useState } from "react";
import type { Fault } from "../graphql/client";
import { Button } from "./button";
import styles from "./decision.module.css";
import { Dialog } from "./dialog";
import { Failure } from "./failure";
import { TextArea, TextField } from "./field";

interface Props {
  title: string;
  consequence: ReactNode;
  verb: string;
  look: "primary" | "danger";
  /** To be typed first, where there is no way back. */
  phrase?: string | undefined;
  /** Whether there is something to do. */
  ready?: boolean;
  /** Does it. What stood in its way is shown, and the dialog stays. */
  act: (form: FormData) => Promise<Fault | undefined>;
  onClose: () => void;
  children?: ReactNode;
}

export function DecisionDialog({
  title,
  consequence,
  verb,
  look,
  phrase,
  ready = true,
  act,
  onClose,
  children,
}: Props) {
  const [typed, setTyped] = useState("");
  const consequenceId = useId();
  const [refusal, submit, busy] = useActionState((_: Fault | undefined, form: FormData) => act(form), undefined);
  const confirmed = phrase === undefined || typed.trim().toLowerCase() === phrase.toLowerCase();
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className={styles.form}
        // Not `action`, which empties the form: where something stands in the way, what was chosen stays.
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          startTransition(() => submit(form));
        }}
      >
        {children}
        {phrase !== undefined && (
          <TextField
            label={`Type “${phrase}” to confirm`}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
          />
        )}
        {refusal && <Failure {...refusal} />}
        <p id={consequenceId}>{consequence}</p>
        <div className={styles.buttons}>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look={look} disabled={busy || !ready || !confirmed} aria-describedby={consequenceId}>
            {busy ? "Working…" : verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Of the server's; it counts characters, the browser halves of some. */
const MOST = 500;

interface ReasonProps {
  /** Who reads it. */
  hint: string;
  /** What it often is: one touch writes it. */
  presets: readonly string[];
}

/** Why something is done, in the admin's words: the form's field `reason`. */
export function ReasonField({ hint, presets }: ReasonProps) {
  const [reason, setReason] = useState("");
  return (
    <div className={styles.reason}>
      <TextArea
        label="Reason"
        name="reason"
        hint={hint}
        rows={3}
        required
        maxLength={MOST}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      <fieldset className={styles.presets}>
        <legend className="visually-hidden">Often used</legend>
        {presets.map((preset) => (
          <button key={preset} type="button" aria-pressed={reason === preset} onClick={() => setReason(preset)}>
            {preset}
          </button>
        ))}
      </fieldset>
    </div>
  );
}

export const reasonOf = (form: FormData) => String(form.get("reason") ?? "").trim();
