// The square that shows whether something is selected. What it shows is told by aria-selected, or the checkbox around it.
import styles from "./select-mark.module.css";

export function SelectMark({ selected }: { selected: boolean | "none" | "some" | "all" }) {
  const state = typeof selected === "string" ? selected : selected ? "all" : "none";
  return (
    <svg className={styles.mark} data-state={state} width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <rect x="1" y="1" width="14" height="14" rx="3" />
      {state === "all" && <path d="M4 8.5l2.8 2.8L12 5.5" />}
      {state === "some" && <path d="M4.5 8h7" />}
    </svg>
  );
}
