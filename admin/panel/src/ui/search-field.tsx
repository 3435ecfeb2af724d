// A search that asks a moment after the last key, and that `/` leads to. An id in it leads to its object.
import { useEffect, useRef, useState } from "react";
import { Icon } from "./icon";
import { isId, useJump } from "./jump";
import { useKeys } from "./keys";
import styles from "./search-field.module.css";

const PAUSE_MS = 250;

interface Props {
  label: string;
  placeholder: string;
  value: string | undefined;
  onSearch: (text: string | undefined) => void;
}

export function SearchField({ label, placeholder, value, onSearch }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value ?? "");
  const asked = useRef(value ?? "");
  const jump = useJump();
  useKeys("Search", [{ keys: "/", label, run: () => input.current?.focus() }]);

  // The address may change by itself: by a chip, or by going back.
  useEffect(() => {
    if ((value ?? "") === asked.current) return;
    asked.current = value ?? "";
    setText(value ?? "");
  }, [value]);
  useEffect(() => {
    const wanted = text.trim();
    if (wanted === asked.current) return;
    const timer = setTimeout(() => {
      asked.current = wanted;
      onSearch(wanted || undefined);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, onSearch]);

  return (
    <label className={styles.search}>
      <span className="visually-hidden">{label}</span>
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        placeholder={placeholder}
        value={text}
        onChange={(event) => {
          const { value } = event.target;
          if (!isId(value.trim())) return setText(value);
          setText(asked.current);
          jump(value.trim());
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape" && event.key !== "Enter") return;
          // Out of the field, to the list; a further Esc is the list's.
          event.preventDefault();
          event.currentTarget.blur();
        }}
      />
    </label>
  );
}
