// Buttons: words, or an icon with a name.
import type { ComponentProps, ReactNode } from "react";
import styles from "./button.module.css";

type Look = "plain" | "primary" | "danger" | "quiet";

export function Button({
  look = "plain",
  className,
  type = "button",
  ...rest
}: ComponentProps<"button"> & { look?: Look }) {
  return (
    <button type={type} className={[styles.button, styles[look], className].filter(Boolean).join(" ")} {...rest} />
  );
}

/** An icon alone: its name is what assistive technology reads and the pointer shows. */
export function IconButton({
  label,
  children,
  ...rest
}: Omit<ComponentProps<"button">, "title"> & { label: string; children: ReactNode }) {
  return (
    <button type="button" className={styles.icon} aria-label={label} title={label} {...rest}>
      {children}
    </button>
  );
}
