// How much a person's files may take up, and changing it.
import { useActionState, useState } from "react";
import { client, explain, type Fault } from "../../graphql/client";
import { graphql } from "../../graphql/tada";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Failure } from "../../ui/failure";
import { TextField } from "../../ui/field";
import { bytes, parseBytes } from "../../ui/relative";
import { toast } from "../../ui/toasts";
import styles from "./page.module.css";

const SET_QUOTA = graphql(`
  mutation SetQuota($input: SetQuotaInput!) { setQuota(input: $input) { usage { maxFiles maxBytes } userErrors { field message } } }
`);

interface Props {
  userId: string;
  maxBytes: number;
  maxFiles: number;
  changed: () => void;
}

export function Quota({ userId, maxBytes, maxFiles, changed }: Props) {
  const [open, setOpen] = useState(false);
  const [refusal, submit, busy] = useActionState(
    async (_: Fault | undefined, form: FormData): Promise<Fault | undefined> => {
      const [size, files] = [String(form.get("bytes")).trim(), String(form.get("files")).trim()];
      const wanted = size === "" ? undefined : parseBytes(size);
      if (size !== "" && wanted === undefined) return { message: `“${size}” is no size. Write one such as 10 GB.` };
      if (files !== "" && !/^\d+$/.test(files)) return { message: `“${files}” is no number of files.` };
      const input = { userId, maxBytes: wanted ?? null, maxFiles: files === "" ? null : Number(files) };
      const { data, error } = await client.mutation(SET_QUOTA, { input }).toPromise();
      if (error) return explain(error);
      const refused = data?.setQuota.userErrors[0];
      if (refused) return { message: refused.message };
      setOpen(false);
      changed();
      toast.done("The quota is set");
    },
    undefined,
  );

  return (
    <>
      <Button onClick={() => setOpen(true)}>Change quota…</Button>
      {open && (
        <Dialog title="Quota" onClose={() => setOpen(false)}>
          <form action={submit} className={styles.form}>
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
            {refusal && <Failure {...refusal} />}
            <p>Uploads beyond it are refused. What is there already stays.</p>
            <div className={styles.buttons}>
              <Button onClick={() => setOpen(false)}>Cancel</Button>
              <Button type="submit" look="primary" disabled={busy}>
                Set quota
              </Button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
