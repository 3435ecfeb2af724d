// Narrowing a list of files down: words at once, all else in a form; what is in force shows as chips.
import { useId } from "react";
import { IconButton } from "../../ui/button";
import { Chips } from "../../ui/chips";
import { SelectField, TextField } from "../../ui/field";
import { FilterPopup, given, Pair } from "../../ui/filter";
import { Icon } from "../../ui/icon";
import { parseBytes } from "../../ui/relative";
import { SearchField } from "../../ui/search-field";
import { named } from "../../ui/segments";
import { findUser, useUserName } from "../users/names";
import styles from "./filter-bar.module.css";
import { CONDITIONS, type Condition, describe, type FileState, type FilesSearch } from "./search";

interface Props {
  search: FilesSearch;
  change: (changes: Partial<FilesSearch>) => void;
  /** The states to choose from, the first one where none is asked for; none where the page chooses elsewhere. */
  states: readonly FileState[];
}

export function FilterBar({ search, change, states }: Props) {
  const ownerName = useUserName(search.owner);
  const chips = useConditions(search).filter(({ name }) => name !== "state" || states.length > 0);
  const cleared = states.length === 0 ? { ...withoutConditions(), state: search.state } : withoutConditions();
  const clear = () => change(cleared);
  return (
    <div className={styles.bar}>
      <div className={styles.tools}>
        <SearchField
          label="Search files"
          placeholder="Name, description or id"
          value={search.q}
          onSearch={(q) => change({ q })}
        />
        <FileFilter {...{ search, change, states, ownerName, clear }} />
        <span className={styles.views}>
          <IconButton label="Grid" aria-pressed={search.view !== "table"} onClick={() => change({ view: "grid" })}>
            <Icon name="grid" />
          </IconButton>
          <IconButton label="Table" aria-pressed={search.view === "table"} onClick={() => change({ view: "table" })}>
            <Icon name="table" />
          </IconButton>
        </span>
      </div>
      <Chips chips={chips} remove={(name) => change({ [name]: undefined })} clear={clear} />
    </div>
  );
}

/** What is in force, in words. */
export function useConditions(search: FilesSearch) {
  const ownerName = useUserName(search.owner);
  return CONDITIONS.flatMap((name) => {
    const value = search[name];
    return value ? [{ name, text: describe(name, value, ownerName) }] : [];
  });
}

export function withoutConditions(): Partial<Record<Condition, undefined>> {
  return Object.fromEntries(CONDITIONS.map((condition) => [condition, undefined]));
}

interface FilterProps extends Props {
  ownerName: string | undefined;
  clear: () => void;
}

function FileFilter({ search, change, states, ownerName, clear }: FilterProps) {
  const id = useId();
  const apply = async (form: FormData) => {
    const [min, max] = [given(form, "min"), given(form, "max")];
    const owner = await findUser(given(form, "owner"));
    const isSize = (text: string | undefined) => text === undefined || parseBytes(text) !== undefined;
    const noSize = "A size, such as 10 MB";
    if (owner.fault || !isSize(min) || !isSize(max)) {
      return { owner: owner.fault, ...(!isSize(min) && { min: noSize }), ...(!isSize(max) && { max: noSize }) };
    }
    const chosen = states.find((name) => name === given(form, "state") && name !== states[0]);
    change({
      owner: owner.id,
      tags: given(form, "tags"),
      type: given(form, "type"),
      state: states.length === 0 ? search.state : chosen,
      from: given(form, "from"),
      until: given(form, "until"),
      min,
      max,
    });
    return {};
  };

  return (
    <FilterPopup
      apply={apply}
      clear={clear}
      fields={(faults) => (
        <>
          <TextField
            key={ownerName}
            label="Owner"
            name="owner"
            defaultValue={ownerName}
            placeholder="User name"
            fault={faults.owner}
            autoComplete="off"
          />
          <TextField
            label="Tags, all of them"
            name="tags"
            defaultValue={search.tags}
            placeholder="sea, summer"
            autoComplete="off"
          />
          <TextField
            label="Type"
            name="type"
            defaultValue={search.type}
            placeholder="image/* or text/plain"
            list={`${id}-types`}
            autoComplete="off"
          />
          <datalist id={`${id}-types`}>
            {["image/*", "video/*", "audio/*", "text/*", "application/pdf"].map((type) => (
              <option key={type} value={type} />
            ))}
          </datalist>
          {states.length > 0 && (
            <SelectField label="State" name="state" defaultValue={search.state ?? states[0]} options={named(states)} />
          )}
          <Pair>
            <TextField label="From" name="from" type="date" defaultValue={search.from} />
            <TextField label="Until" name="until" type="date" defaultValue={search.until} />
          </Pair>
          <Pair>
            <TextField
              label="At least"
              name="min"
              defaultValue={search.min}
              placeholder="10 kB"
              fault={faults.min}
              autoComplete="off"
            />
            <TextField
              label="At most"
              name="max"
              defaultValue={search.max}
              placeholder="2 MB"
              fault={faults.max}
              autoComplete="off"
            />
          </Pair>
        </>
      )}
    />
  );
}
