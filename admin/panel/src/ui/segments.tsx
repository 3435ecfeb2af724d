// One of a few: a row of radio buttons that looks like a switch.
import { useId } from "react";
import { sentence } from "./relative";
import styles from "./segments.module.css";

interface Props<Value extends string> {
  label: string;
  value: Value;
  options: readonly (readonly [value: Value, text: string])[];
  onChange: (value: Value) => void;
}

export function Segments<Value extends string>({ label, value, options, onChange }: Props<Value>) {
  const name = useId();
  return (
    <fieldset className={styles.segments}>
      <legend className="visually-hidden">{label}</legend>
      {options.map(([option, text]) => (
        <label key={option}>
          <input type="radio" name={name} checked={option === value} onChange={() => onChange(option)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Options whose words are their values: "system" → "System". */
export const named = <Value extends string>(values: readonly Value[]) =>
  values.map((value) => [value, sentence(value)] as const);
