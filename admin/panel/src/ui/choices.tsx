// One of a few, each with what it means.
import { useId } from "react";
import styles from "./choices.module.css";

interface Props<Value extends string> {
  label: string;
  /** Undefined until something is chosen. */
  value: Value | undefined;
  options: readonly (readonly [value: Value, name: string, meaning: string])[];
  onChange: (value: Value) => void;
}

export function Choices<Value extends string>({ label, value, options, onChange }: Props<Value>) {
  const id = useId();
  return (
    <fieldset className={styles.choices}>
      <legend className="visually-hidden">{label}</legend>
      {options.map(([option, name, meaning]) => (
        <label key={option}>
          <input
            type="radio"
            name={id}
            checked={option === value}
            aria-label={name}
            aria-describedby={`${id}-${option}`}
            onChange={() => onChange(option)}
          />
          <span>
            {name}
            <small id={`${id}-${option}`}>{meaning}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
