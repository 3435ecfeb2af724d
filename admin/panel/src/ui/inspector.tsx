// Details beside a list; over it where there is no room beside it.
import { type ReactNode, useEffect, useRef } from "react";
import { IconButton } from "./button";
import { Icon } from "./icon";
import styles from "./inspector.module.css";

interface Props {
  title: string;
  onClose: () => void;
  /** Stays in sight at the end. */
  actions?: ReactNode;
  children: ReactNode;
}

export function Inspector({ title, onClose, actions, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Where details cover the list, whoever reads by keyboard goes with them.
  useEffect(() => {
    if (matchMedia("(max-width: 900px)").matches) heading.current?.focus();
  }, []);
  return (
    <aside className={styles.inspector} aria-label="Details">
      <header className={styles.head}>
        <h2 ref={heading} tabIndex={-1} className={styles.title}>
          {title}
        </h2>
        <IconButton label="Close details" onClick={onClose}>
          <Icon name="close" />
        </IconButton>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keyboard too */}
      <section className={styles.body} tabIndex={0} aria-label={title}>
        {children}
      </section>
      {actions && <footer className={styles.actions}>{actions}</footer>}
    </aside>
  );
}

export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles.section}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** Names and values; what has no value is left out. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={styles.facts}>
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** What machines read, as it is. */
export function Json({ value }: { value: unknown }) {
  return <pre className={styles.json}>{JSON.stringify(value, null, 2)}</pre>;
}
