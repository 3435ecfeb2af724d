// A list with nothing in it: why, and the next step.
import type { ReactNode } from "react";
import styles from "./empty.module.css";

export function Empty({ title, text, action }: { title: string; text: string; action?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <p className={styles.title}>{title}</p>
      <p className={styles.text}>{text}</p>
      {action}
    </div>
  );
}
