// Ids and hashes: shown short, copied whole.
import { useEffect, useState } from "react";
import { IconButton } from "./button";
import styles from "./copy.module.css";
import { Icon } from "./icon";

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <IconButton
      label={copied ? "Copied" : `Copy ${what}`}
      onClick={(event) => {
        event.stopPropagation();
        navigator.clipboard.writeText(text).then(() => setCopied(true));
      }}
    >
      <Icon name={copied ? "check" : "copy"} />
    </IconButton>
  );
}

/** An id or a hash in full, cut off where there is no room, with a button to copy it. */
export function Id({ id, what }: { id: string; what: string }) {
  return (
    <span className={styles.id}>
      <code title={id}>{id}</code>
      <CopyButton text={id} what={what} />
    </span>
  );
}
