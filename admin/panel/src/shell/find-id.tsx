// A field for ids, on every page: whatever the id is of, it leads to its page.
import { useRef, useState } from "react";
import { Icon } from "../ui/icon";
import { isId, useJump } from "../ui/jump";
import { useKeys } from "../ui/keys";
import searchStyles from "../ui/search-field.module.css";
import { toast } from "../ui/toasts";

export function FindId() {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const jump = useJump();
  useKeys("Go to", [{ keys: "g i", label: "The object of an id", run: () => input.current?.focus() }]);
  return (
    <form
      className={searchStyles.search}
      onSubmit={(event) => {
        event.preventDefault();
        toast.failed("This is no id", { message: "An id looks like file_0192…: its type, and 32 letters and digits." });
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        aria-label="Find an id"
        placeholder="Paste an id"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          const wanted = event.target.value.trim();
          setText(isId(wanted) ? "" : event.target.value);
          if (isId(wanted)) jump(wanted);
        }}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
    </form>
  );
}
