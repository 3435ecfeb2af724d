// Words for times, durations, sizes and counts.

const UNITS = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
] as const;
const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
const numbers = new Intl.NumberFormat("en");

/** "3 min. ago", "in 29 days"; both in milliseconds since 1970. */
export function relative(time: number, now: number) {
  const seconds = Math.round((time - now) / 1000);
  for (const [unit, length] of UNITS) {
    // A month and a year have no exact length: below two of them, days and months say it better.
    const least = unit === "year" || unit === "month" ? 2 * length : length;
    if (Math.abs(seconds) >= least) return words.format(Math.trunc(seconds / length), unit);
  }
  // What is a few seconds ahead is the server's clock, or a page that has not looked at its own for a while.
  if (seconds > -10) return "just now";
  return words.format(seconds, "second");
}

/** "2026-11-22 01:35:58 UTC". */
export function absolute(at: string) {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "2.4 MB", by powers of 1000. */
export function bytes(size: number) {
  if (size < 1000) return `${size} B`;
  const power = Math.min(4, Math.floor(Math.log10(size) / 3));
  const scaled = size / 1000 ** power;
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

/** Reads "10 MB", "1.5 gib" or "200" as bytes; undefined where it is none of these. */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*$/i.exec(text);
  if (!match) return undefined;
  const [, number, prefix = "", binary] = match;
  const power = ["", "k", "m", "g", "t"].indexOf(prefix.toLowerCase());
  return Math.round(Number(number) * (binary ? 1024 : 1000) ** power);
}

/** "1 file", "1,234 files", "2 entries". */
export function count(number: number, noun: string) {
  const many = /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${numbers.format(number)} ${number === 1 ? noun : many}`;
}

/** "TRASHED" → "Trashed", "FILES_REMOVED" → "Files removed". */
export function sentence(constant: string) {
  const words = constant.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
