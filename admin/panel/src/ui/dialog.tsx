// A modal dialog: a title, what it is about, and its buttons.
import { Dialog as Base } from "@base-ui/react/dialog";
import type { ReactNode } from "react";
import styles from "./dialog.module.css";
import { Icon } from "./icon";

export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  return (
    <Base.Root open onOpenChange={(open) => !open && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={styles.backdrop} />
        <Base.Popup data-own-keys className={styles.popup}>
          <Base.Title className={styles.title}>{title}</Base.Title>
          {children}
          {/* Last, so that the dialog opens with the focus on what it is about. */}
          <Base.Close className={styles.close} aria-label="Close">
            <Icon name="close" />
          </Base.Close>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
