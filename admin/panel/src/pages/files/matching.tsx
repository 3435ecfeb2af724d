// Removing all files that a filter matches, loaded or not: the filter goes to the server with the number that was seen, and
// nothing is done where another number matches by then.
import { useState } from "react";
import { useIdempotencyKey } from "../../graphql/idempotency";
import { perform } from "../../graphql/perform";
import { DecisionDialog, ReasonField, reasonOf } from "../../ui/decision";
import { count, sentence } from "../../ui/relative";
import { useLimits } from "./actions";
import styles from "./actions.module.css";
import { REMOVE_MATCHING } from "./documents";
import { useConditions } from "./filter-bar";
import { type FileState, type FilesSearch, toFilter } from "./search";
import { consequence, PRESETS } from "./words";

/** The states whose files can be removed by a filter. */
export const BY_FILTER: readonly FileState[] = ["ACTIVE", "TRASHED"];

interface Props {
  search: FilesSearch;
  state: FileState;
  /** How many files match, as the list has counted them. */
  seen: number;
  onClose: () => void;
  /** With the id of what the server now does. */
  onOrdered: (action: string) => void;
}

export function MatchingDialog({ search, state, seen, onClose, onOrdered }: Props) {
  const { byFilter, retention } = useLimits();
  const conditions = useConditions(search).filter(({ name }) => name !== "state");
  const [expected, setExpected] = useState(seen);
  const keyOf = useIdempotencyKey();
  const act = async (form: FormData) => {
    const matching = { filter: toFilter(search, state), expectedCount: expected };
    const reason = reasonOf(form);
    const variables = { matching, reason, key: keyOf(matching, reason) };
    const { refusal, answer, done } = await perform(REMOVE_MATCHING, variables, ({ removeFiles }) => removeFiles);
    const now = answer?.matchingCount;
    if (now !== undefined && now !== null) {
      setExpected(now);
      return { message: `${countChanged(now, expected, byFilter)} Nothing was removed.` };
    }
    if (refusal) return refusal;
    if (done.action) onOrdered(done.action.id);
    onClose();
  };
  const what = count(expected, "file");
  return (
    <DecisionDialog
      title={`Remove all ${what} that match`}
      consequence={`${consequence("remove", state === "TRASHED", false, retention)} What is uploaded later stays.`}
      verb={`Remove ${what}`}
      look="danger"
      ready={expected > 0 && expected <= byFilter}
      act={act}
      onClose={onClose}
    >
      <ul className={styles.names}>
        {!search.owner && <li>Owner: everybody</li>}
        <li>State: {sentence(state)}</li>
        {conditions.map(({ name, text }) => (
          <li key={name}>{text}</li>
        ))}
      </ul>
      <ReasonField hint="Their owners read it, in these words." presets={PRESETS} />
    </DecisionDialog>
  );
}

function countChanged(now: number, seen: number, most: number) {
  if (now === 0) return "No file matches any more.";
  if (now > most) return `More than ${count(most, "file")} match now. Narrow the filter down.`;
  return `${count(now, "file")} ${now === 1 ? "matches" : "match"} now, not ${seen.toLocaleString("en")}.`;
}
