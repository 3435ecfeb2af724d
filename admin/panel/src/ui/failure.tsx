// What went wrong, where it went wrong: the message, the request id to look it up by, and a way on.
import type { ReactNode } from "react";
import { CopyButton } from "./copy";
import styles from "./failure.module.css";
import { Icon } from "./icon";

export function Failure({
  message,
  requestId,
  action,
}: {
  message: string;
  requestId?: string | undefined;
  action?: ReactNode;
}) {
  return (
    <div role="alert" className={styles.failure}>
      <Icon name="warning" />
      <div>
        <p>{message}</p>
        {requestId && <RequestId id={requestId} />}
        {action && <p className={styles.action}>{action}</p>}
      </div>
    </div>
  );
}

export function RequestId({ id }: { id: string }) {
  return (
    <p className={styles.request}>
      Request <code>{id}</code> <CopyButton text={id} what="request id" />
    </p>
  );
}
