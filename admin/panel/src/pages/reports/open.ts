// How many reports wait for a decision, for whoever is to decide them.
import { useQuery } from "urql";
import { graphql } from "../../graphql/tada";
import { isAdmin, useViewer } from "../../session/viewer";
import { useEvery } from "../../ui/every";

const OPEN_REPORTS = graphql(`query OpenReports { reports(state: OPEN, first: 1) { totalCount } }`);
/** The server counts no further. */
export const MOST = 1000;
const EVERY_MS = 60_000;

/** "3", or "1000+"; undefined where there are none, until they are counted, and to those who do not decide. */
export function useOpenReports(): string | undefined {
  const decides = isAdmin(useViewer());
  const [{ data }, again] = useQuery({ query: OPEN_REPORTS, pause: !decides, requestPolicy: "cache-and-network" });
  useEvery(() => again({ requestPolicy: "network-only" }), decides, EVERY_MS);
  const total = data?.reports.totalCount ?? 0;
  if (total === 0) return undefined;
  return total < MOST ? String(total) : `${MOST}+`;
}
