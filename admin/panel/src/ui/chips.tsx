// The filters that are in force: each can be taken away, and all of them.
import { Button } from "./button";
import styles from "./chips.module.css";
import { Icon } from "./icon";

interface Props<Name extends string> {
  chips: readonly { name: Name; text: string }[];
  remove: (name: Name) => void;
  clear: () => void;
}

export function Chips<Name extends string>({ chips, remove, clear }: Props<Name>) {
  if (chips.length === 0) return null;
  return (
    <ul className={styles.chips} aria-label="Filters in force">
      {chips.map(({ name, text }) => (
        <li key={name} className={styles.chip}>
          {text}
          <button type="button" aria-label={`Remove filter ${text}`} onClick={() => remove(name)}>
            <Icon name="close" />
          </button>
        </li>
      ))}
      <li>
        <Button look="quiet" onClick={clear}>
          Clear filters
        </Button>
      </li>
    </ul>
  );
}
