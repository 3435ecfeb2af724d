// Narrowing a list of files down: words at once, all else in a form; what is in force shows as chips.
import { Popover } from "@base-ui/react/popover";
import { useId, useState } from "react";
import { useClient, useQuery } from "urql";
import { explain } from "../../graphql/client";
import { Button, IconButton } from "../../ui/button";
import buttonStyles from "../../ui/button.module.css";
import { SelectField, TextField } from "../../ui/field";
import { Icon } from "../../ui/icon";
import { useKeys } from "../../ui/keys";
import { parseBytes } from "../../ui/relative";
import { SearchField } from "../../ui/search-field";
import { named } from "../../ui/segments";
import { OWNER, OWNER_BY_NAME } from "./documents";
import styles from "./filter-bar.module.css";
import { CONDITIONS, type Condition, describe, type FileState, type FilesSearch } from "./search";

interface Props {
  search: FilesSearch;
  change: (changes: Partial<FilesSearch>) => void;
  /** The states to choose from, the first one where none is asked for; none where the page chooses elsewhere. */
  states: readonly FileState[];
}

export function FilterBar({ search, change, states }: Props) {
  const ownerName = useOwnerName(search.owner);
  const [open, setOpen] = useState(false);
  const chips = CONDITIONS.flatMap((condition) => {
    const value = condition === "state" && states.length === 0 ? undefined : search[condition];
    return value ? [{ condition, text: describe(condition, value, ownerName) }] : [];
  });
  const clear = states.length === 0 ? { ...withoutConditions(), state: search.state } : withoutConditions();
  useKeys("Filter", [{ keys: "f", label: "Open the filter", run: () => setOpen(true) }]);

  return (
    <div className={styles.bar}>
      <div className={styles.tools}>
        <SearchField
          label="Search files"
          placeholder="Name or description"
          value={search.q}
          onSearch={(q) => change({ q })}
        />
        <Popover.Root open={open} onOpenChange={setOpen}>
          <Popover.Trigger className={buttonStyles.button}>
            <Icon name="filter" />
            Filter
          </Popover.Trigger>
          <Popover.Portal>
            <Popover.Positioner side="bottom" align="end" sideOffset={4} className={styles.positioner}>
              <Popover.Popup data-own-keys className={styles.popup}>
                <Popover.Title className="visually-hidden">Filter</Popover.Title>
                <FilterForm
                  key={JSON.stringify(search)}
                  search={search}
                  ownerName={ownerName}
                  states={states}
                  clear={() => {
                    change(clear);
                    setOpen(false);
                  }}
                  apply={(changes) => {
                    change(changes);
                    setOpen(false);
                  }}
                />
              </Popover.Popup>
            </Popover.Positioner>
          </Popover.Portal>
        </Popover.Root>
        <span className={styles.views}>
          <IconButton label="Grid" aria-pressed={search.view !== "table"} onClick={() => change({ view: "grid" })}>
            <Icon name="grid" />
          </IconButton>
          <IconButton label="Table" aria-pressed={search.view === "table"} onClick={() => change({ view: "table" })}>
            <Icon name="table" />
          </IconButton>
        </span>
      </div>
      {chips.length > 0 && (
        <ul className={styles.chips} aria-label="Filters in force">
          {chips.map(({ condition, text }) => (
            <li key={condition} className={styles.chip}>
              {text}
              <button
                type="button"
                aria-label={`Remove filter ${text}`}
                onClick={() => change({ [condition]: undefined })}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
          <li>
            <Button look="quiet" onClick={() => change(clear)}>
              Clear filters
            </Button>
          </li>
        </ul>
      )}
    </div>
  );
}

export function withoutConditions(): Partial<Record<Condition, undefined>> {
  return Object.fromEntries(CONDITIONS.map((condition) => [condition, undefined]));
}

interface FormProps {
  search: FilesSearch;
  ownerName: string | undefined;
  states: readonly FileState[];
  clear: () => void;
  apply: (changes: Partial<FilesSearch>) => void;
}

function FilterForm({ search, ownerName, states, clear, apply }: FormProps) {
  const client = useClient();
  const id = useId();
  const [faults, setFaults] = useState<Partial<Record<"owner" | "min" | "max", string>>>({});

  const submit = async (data: FormData) => {
    const given = (name: string) => String(data.get(name) ?? "").trim() || undefined;
    const [owner, min, max] = [given("owner"), given("min"), given("max")];
    const found = owner ? await client.query(OWNER_BY_NAME, { username: owner }).toPromise() : undefined;
    const isSize = (text: string | undefined) => text === undefined || parseBytes(text) !== undefined;
    const wrong = {
      ...(owner &&
        !found?.data?.user && { owner: found?.error ? explain(found.error).message : "There is nobody of this name" }),
      ...(!isSize(min) && { min: "A size, such as 10 MB" }),
      ...(!isSize(max) && { max: "A size, such as 10 MB" }),
    };
    setFaults(wrong);
    if (Object.keys(wrong).length > 0) return;
    const state =
      states.length === 0 ? search.state : states.find((name) => name === given("state") && name !== states[0]);
    const [tags, type, from, until] = [given("tags"), given("type"), given("from"), given("until")];
    apply({ owner: found?.data?.user?.id, tags, type, state, from, until, min, max });
  };

  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        submit(new FormData(event.currentTarget));
      }}
    >
      <TextField
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
      <div className={styles.pair}>
        <TextField label="From" name="from" type="date" defaultValue={search.from} />
        <TextField label="Until" name="until" type="date" defaultValue={search.until} />
      </div>
      <div className={styles.pair}>
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
      </div>
      <div className={styles.submit}>
        <Button onClick={clear}>Clear</Button>
        <Button type="submit" look="primary">
          Apply
        </Button>
      </div>
    </form>
  );
}

function useOwnerName(id: string | undefined) {
  const [{ data }] = useQuery({ query: OWNER, variables: { id: id ?? "" }, pause: !id });
  if (!id || !data) return undefined;
  return data.node?.__typename === "User" ? data.node.username : "nobody";
}
