// How much a person's files may take up, and changing it.
import { useState } from "react";
import { perform } from "../../graphql/perform";
import { Button } from "../../ui/button";
import { DecisionDialog } from "../../ui/decision";
import { TextField } from "../../ui/field";
import { given } from "../../ui/filter";
import { bytes, parseBytes } from "../../ui/relative";
import { toast } from "../../ui/toasts";
import { SET_QUOTA } from "./documents";

interface Props {
  userId: string;
  maxBytes: number;
  maxFiles: number;
}

export function Quota({ userId, maxBytes, maxFiles }: Props) {
  const [open, setOpen] = useState(false);
  const act = async (form: FormData) => {
    const [size, files] = [given(form, "bytes"), given(form, "files")];
    const wanted = size === undefined ? undefined : parseBytes(size);
    if (size && wanted === undefined) return { message: `“${size}” is no size. Write one such as 10 GB.` };
    if (files && !/^\d+$/.test(files)) return { message: `“${files}” is no number of files.` };
    const input = { userId, maxBytes: wanted ?? null, maxFiles: files ? Number(files) : null };
    const { refusal } = await perform(SET_QUOTA, { input }, ({ setQuota }) => setQuota);
    if (refusal) return refusal;
    setOpen(false);
    toast.done("The quota is set");
  };
  return (
    <>
      <Button onClick={() => setOpen(true)}>Change quota…</Button>
      {open && (
        <DecisionDialog
          title="Quota"
          consequence="Uploads beyond it are refused. What is there already stays."
          verb="Set quota"
          look="primary"
          act={act}
          onClose={() => setOpen(false)}
        >
          <TextField
            label="Bytes"
            name="bytes"
            placeholder={bytes(maxBytes)}
            hint="Such as 10 GB. Empty: the server's own quota."
          />
          <TextField
            label="Files"
            name="files"
            placeholder={String(maxFiles)}
            inputMode="numeric"
            hint="Empty: the server's own quota."
          />
        </DecisionDialog>
      )}
    </>
  );
}
