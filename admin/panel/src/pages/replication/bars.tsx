// A chart of a few bars. Each is a name and its value in words, which are all that is read out; the bars repeat them.
import type { CSSProperties } from "react";
import styles from "./bars.module.css";

export interface Bar {
  name: string;
  value: number;
  text: string;
  /** Longer than it may be. */
  over?: boolean;
}

/** `mark`: a value that a line is drawn at. */
export function Bars({ bars, mark }: { bars: readonly Bar[]; mark?: number }) {
  const most = Math.max(...bars.map(({ value }) => value), mark ?? 0);
  const share = (value: number) => `${most > 0 ? (value / most) * 100 : 0}%`;
  const style = mark === undefined ? undefined : ({ "--mark": share(mark) } as CSSProperties);
  return (
    <dl className={styles.bars} style={style} data-marked={mark === undefined ? undefined : true}>
      {bars.map(({ name, value, text, over }) => (
        <div key={name} data-over={over || undefined}>
          <dt>{name}</dt>
          <dd>
            <span className={styles.track} aria-hidden="true">
              {value > 0 && <span style={{ width: share(value) }} />}
            </span>
            <span className={styles.text}>{text}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
