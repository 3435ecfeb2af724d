// What is selected among files, and what can be done with it. All that match, loaded or not, are a second step.
import type { Browse } from "../../ui/browse";
import { Button } from "../../ui/button";
import { count } from "../../ui/relative";
import { ActionButtons, OFFERED, useLimits } from "./actions";
import styles from "./browser.module.css";
import type { FileRow } from "./documents";
import { BY_FILTER } from "./matching";
import type { FileState } from "./search";
import { type Action, VERBS } from "./words";

interface Props {
  state: FileState;
  selected: readonly FileRow[];
  /** How many rows are loaded. */
  loaded: number;
  /** How many files match, where they are counted, and whether there are no more. */
  total: number | undefined;
  totalIsExact: boolean;
  browse: Browse;
  onChoose: (action: Action) => void;
  onRemoveMatching: () => void;
}

export function SelectionBar(props: Props) {
  const { state, selected, loaded, total = 0, totalIsExact, browse, onChoose, onRemoveMatching } = props;
  const { most, byFilter } = useLimits();
  if (selected.length === 0) return null;
  // By hand as many as there are in one request.
  const isMore = selected.length === loaded && (total > loaded || total > most);
  const fits = totalIsExact && total <= byFilter;
  return (
    <section className={styles.selected} aria-label="Selection">
      <strong role="status">
        {browse.matching
          ? `All ${count(total, "file")} that match are selected`
          : `${count(selected.length, "file")} selected`}
      </strong>
      {browse.matching ? (
        <>
          {OFFERED[state].map((action) => (
            <Button key={action} disabled={action !== "remove"} onClick={onRemoveMatching}>
              {VERBS[action]}…
            </Button>
          ))}
          <span className={styles.note}>By a filter files are removed, and no more than that</span>
        </>
      ) : (
        <ActionButtons actions={OFFERED[state]} files={selected} onChoose={onChoose} />
      )}
      <Button look="quiet" onClick={browse.clear}>
        Clear
      </Button>
      {isMore && BY_FILTER.includes(state) && !browse.matching && (
        <p className={styles.all}>
          {fits ? (
            <Button onClick={browse.selectMatching}>Select all {count(total, "file")} that match</Button>
          ) : (
            `More than ${count(byFilter, "file")} match. To select all that match, narrow the filter down.`
          )}
        </p>
      )}
    </section>
  );
}
