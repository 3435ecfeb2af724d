// Days as addresses hold them, such as 2026-11-22, in UTC; what is none is left out.

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;

/** The beginning of the first day that is meant. */
export const after = (day: string | undefined) => midnight(day, 0);
/** The end of the last one, which is meant whole. */
export const before = (day: string | undefined) => midnight(day, DAY_MS);

function midnight(day: string | undefined, later: number) {
  const time = day && DAY.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  return Number.isNaN(time) ? undefined : new Date(time + later).toISOString();
}
