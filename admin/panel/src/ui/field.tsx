// Labelled fields, with their hints and their faults.
import { type ComponentProps, useId } from "react";
import styles from "./field.module.css";

interface Props extends ComponentProps<"input"> {
  label: string;
  hint?: string;
  fault?: string | undefined;
}

export function TextField({ label, hint, fault, ...rest }: Props) {
  const id = useId();
  const note = fault ?? hint;
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className={styles.input}
        aria-invalid={fault ? true : undefined}
        aria-describedby={note ? `${id}-note` : undefined}
        {...rest}
      />
      {note && (
        <p id={`${id}-note`} className={fault ? styles.fault : styles.hint}>
          {note}
        </p>
      )}
    </div>
  );
}

interface AreaProps extends ComponentProps<"textarea"> {
  label: string;
  hint?: string;
}

/** For texts of some lines. */
export function TextArea({ label, hint, ...rest }: AreaProps) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <textarea id={id} className={styles.input} aria-describedby={hint ? `${id}-note` : undefined} {...rest} />
      {hint && (
        <p id={`${id}-note`} className={styles.hint}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface SelectProps extends ComponentProps<"select"> {
  label: string;
  options: readonly (readonly [value: string, text: string])[];
}

export function SelectField({ label, options, ...rest }: SelectProps) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <select id={id} className={styles.input} {...rest}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
