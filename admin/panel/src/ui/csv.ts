// Tables as comma-separated values (RFC 4180), for spreadsheets.

/** A column: its heading, and what it holds of a row. */
export type CsvColumn<Row> = readonly [heading: string, value: (row: Row) => string | number | null | undefined];

/** Texts that a spreadsheet would take for formulas begin with an apostrophe. */
function cell(value: string | number | null | undefined) {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : (value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function toCsv<Row>(columns: readonly CsvColumn<Row>[], rows: readonly Row[]) {
  const head = columns.map(([heading]) => cell(heading));
  const lines = [head, ...rows.map((row) => columns.map(([, value]) => cell(value(row))))];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

/** Has the browser save a text under a name. */
export function save(name: string, text: string, type = "text/csv") {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Chromium may still read it for a moment.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
