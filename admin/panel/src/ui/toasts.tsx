// Notices in the corner. What succeeded goes by itself; what failed stays, with its request id, until it is closed.
import { Toast } from "@base-ui/react/toast";
import type { ReactNode } from "react";
import { RequestId } from "./failure";
import { Icon } from "./icon";
import styles from "./toasts.module.css";

const manager = Toast.createToastManager<{ action?: ReactNode; requestId?: string | undefined }>();

export const toast = {
  done(title: string, description?: ReactNode, action?: ReactNode) {
    manager.add({ title, description, type: "done", timeout: 10_000, data: { action } });
  },
  failed(title: string, { message, requestId }: { message: string; requestId?: string | undefined }) {
    manager.add({ title, description: message, type: "failed", timeout: 0, priority: "high", data: { requestId } });
  },
};

export function Toasts({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} limit={4}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className={styles.viewport} aria-label="Notices">
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  const { toasts } = Toast.useToastManager<{ action?: ReactNode; requestId?: string | undefined }>();
  return toasts.map((item) => (
    <Toast.Root
      key={item.id}
      toast={item}
      swipeDirection={[]}
      className={styles.toast}
      data-type={item.type}
      // It is read out at once from elsewhere, and stays to be read here.
      aria-hidden={false}
    >
      <Icon name={item.type === "failed" ? "warning" : "check"} />
      <div className={styles.text}>
        <Toast.Title className={styles.title} render={<p />} />
        <Toast.Description className={styles.description} render={<div />} />
        {item.data?.requestId && <RequestId id={item.data.requestId} />}
        {item.data?.action && <div className={styles.actions}>{item.data.action}</div>}
      </div>
      <Toast.Close className={styles.close} aria-label="Close notice" aria-hidden={false}>
        <Icon name="close" />
      </Toast.Close>
    </Toast.Root>
  ));
}
