// From an id to the page that shows its object, by what the id begins with.
import { Link, useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { client, explain } from "../graphql/client";
import { graphql } from "../graphql/tada";
import { isAdmin, useViewer, type Viewer } from "../session/viewer";
import { Id } from "./copy";
import { toast } from "./toasts";

const FILE_OF = graphql(`
  query FileOf($id: ID!) {
    node(id: $id) { __typename ... on ShareLink { file { id } } ... on UploadSession { file { id } } ... on LegalHold { file { id } } }
  }
`);

const PAGES = {
  file: "/files",
  user: "/users",
  report: "/reports",
  content: "/block-list",
  run: "/replication",
  finding: "/replication",
  job: "/jobs",
  alert: "/alerts",
  erasure: "/erasures",
  audit: "/audit",
} as const;
const FOR_OPERATORS = ["/replication", "/jobs", "/alerts", "/erasures"];

/** An id of this server's, whatever it is of. */
export const isId = (text: string) => /^[a-z]+_[0-9a-f]{32}$/.test(text);

function pageOf(id: string, viewer: Viewer) {
  const page = PAGES[id.split("_")[0] as keyof typeof PAGES];
  return page && (isAdmin(viewer) || FOR_OPERATORS.includes(page)) ? page : undefined;
}

/** Goes to where an object is shown. Where that is nowhere, says so. */
export function useJump() {
  const navigate = useNavigate();
  const viewer = useViewer();
  return async (id: string) => {
    const to = pageOf(id, viewer);
    if (to) return navigate({ to, search: { item: id } });
    const { data, error } = await client.query(FILE_OF, { id }).toPromise();
    if (error) return toast.failed("It could not be looked up", explain(error));
    const file = data?.node && "file" in data.node ? data.node.file : undefined;
    if (file && isAdmin(viewer)) return navigate({ to: "/files", search: { item: file.id } });
    toast.failed("This id leads to no page", {
      message: "Its object is gone, is nobody else's to see, or has no page.",
    });
  };
}

/** A link to an object, where the viewer may see its page; else the text alone, or the id where there is no text. */
export function ObjectLink({ id, children }: { id: string; children?: ReactNode }) {
  const to = pageOf(id, useViewer());
  if (!to) return children ?? <Id id={id} what="id" />;
  return (
    <Link to={to} search={{ item: id }}>
      {children ?? "Show"}
    </Link>
  );
}
