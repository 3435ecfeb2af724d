// Blocking bytes that nobody has stored here, by their hash, as lists of known contents hold it.
import { useState } from "react";
import { perform } from "../../graphql/perform";
import { Button } from "../../ui/button";
import { DecisionDialog, ReasonField, reasonOf } from "../../ui/decision";
import { TextField } from "../../ui/field";
import { toast } from "../../ui/toasts";
import { BLOCK } from "../files/documents";
import { PRESETS } from "../files/words";
import { parseSha256 } from "./words";

/** `onBlocked`: with the id of the entry, which may have been there before. */
export function BlockHash({ onBlocked }: { onBlocked: (id: string) => void }) {
  const [open, setOpen] = useState(false);
  const [fault, setFault] = useState<string>();
  const close = () => {
    setOpen(false);
    setFault(undefined);
  };
  const act = async (form: FormData) => {
    const sha256 = parseSha256(String(form.get("sha256")));
    setFault(sha256 ? undefined : "A SHA-256 has 64 hex digits: 0 to 9 and a to f.");
    if (!sha256) return;
    const input = { sha256, reason: reasonOf(form) };
    const { refusal, done } = await perform(BLOCK, { input }, ({ blockContent }) => blockContent);
    if (refusal) return refusal;
    close();
    toast.done("The hash is blocked");
    if (done.blockedContent) onBlocked(done.blockedContent.id);
  };
  return (
    <>
      <Button onClick={() => setOpen(true)}>Block a hash…</Button>
      {open && (
        <DecisionDialog
          title="Block a hash"
          consequence="Nobody can store these bytes from now on. Files that have them already stay. Pictures that only look the same are not blocked."
          verb="Block"
          look="danger"
          act={act}
          onClose={close}
        >
          <TextField
            label="SHA-256"
            name="sha256"
            required
            fault={fault}
            hint="64 hex digits."
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
          />
          <ReasonField hint="For the other admins and the audit log." presets={PRESETS} />
        </DecisionDialog>
      )}
    </>
  );
}
