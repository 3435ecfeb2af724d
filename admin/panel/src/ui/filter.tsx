// The form of a filter, in a popup.
import { Popover } from "@base-ui/react/popover";
import { type ReactNode, useState } from "react";
import { Button } from "./button";
import buttonStyles from "./button.module.css";
import styles from "./filter.module.css";
import { Icon } from "./icon";
import { useKeys } from "./keys";

/** What is wrong with fields, by their names. */
export type Faults = Record<string, string | undefined>;

interface Props {
  /** Takes the filter from the form, or says what is wrong with it. */
  apply: (form: FormData) => Promise<Faults>;
  clear: () => void;
  /** The fields, as the filter in force has them. */
  fields: (faults: Faults) => ReactNode;
}

export function FilterPopup({ apply, clear, fields }: Props) {
  const [open, setOpen] = useState(false);
  const [faults, setFaults] = useState<Faults>({});
  useKeys("Filter", [{ keys: "f", label: "Open the filter", run: () => setOpen(true) }]);
  const submit = async (form: FormData) => {
    const faults = await apply(form);
    setFaults(faults);
    if (Object.values(faults).every((fault) => fault === undefined)) setOpen(false);
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen} onOpenChangeComplete={() => setFaults({})}>
      <Popover.Trigger className={buttonStyles.button}>
        <Icon name="filter" />
        Filter
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner side="bottom" align="end" sideOffset={4} className={styles.positioner}>
          <Popover.Popup data-own-keys className={styles.popup}>
            <Popover.Title className="visually-hidden">Filter</Popover.Title>
            <form
              className={styles.form}
              onSubmit={(event) => {
                event.preventDefault();
                submit(new FormData(event.currentTarget));
              }}
            >
              {fields(faults)}
              <div className={styles.submit}>
                <Button
                  onClick={() => {
                    clear();
                    setOpen(false);
                  }}
                >
                  Clear
                </Button>
                <Button type="submit" look="primary">
                  Apply
                </Button>
              </div>
            </form>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Two fields beside each other, such as the ends of a range. */
export function Pair({ children }: { children: ReactNode }) {
  return <div className={styles.pair}>{children}</div>;
}

/** What the form says of a field; undefined where it is empty. */
export const given = (form: FormData, name: string) => String(form.get(name) ?? "").trim() || undefined;
