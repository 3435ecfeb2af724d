// The keyboard help: what is bound on this page, now.
import { Dialog } from "../ui/dialog";
import { useBoundKeys, useSingleKeys } from "../ui/keys";
import styles from "./help.module.css";

const NAMES: Record<string, string> = {
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  Delete: "Del",
};

/** "Shift+ArrowDown" → Shift, ↓; "J" → Shift, J; "g f" → g, f. */
function caps(keys: string) {
  return keys.split(/[ +]/).flatMap((key) => (/^[A-Z]$/.test(key) ? ["Shift", key] : [NAMES[key] ?? key]));
}

export default function Help({ onClose }: { onClose: () => void }) {
  const groups = useBoundKeys();
  const titles = [...new Set(groups.map(({ title }) => title))];
  const [single, setSingle] = useSingleKeys();
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      {titles.map((title) => (
        <section key={title}>
          <h2>{title}</h2>
          <dl className={styles.keys}>
            {groups
              .filter((group) => group.title === title)
              .flatMap(({ bindings }) => bindings)
              .map(({ keys, label }) => (
                <div key={keys}>
                  <dt>
                    {caps(keys).map((cap) => (
                      <kbd key={cap}>{cap}</kbd>
                    ))}
                  </dt>
                  <dd>{label}</dd>
                </div>
              ))}
          </dl>
        </section>
      ))}
      <label className={styles.single}>
        <input type="checkbox" checked={single} onChange={(event) => setSingle(event.target.checked)} />
        Keys of one character work (the others always do)
      </label>
    </Dialog>
  );
}
