// What waits to be deleted for good: by owners' hands, or removed by admins.
import { getRouteApi } from "@tanstack/react-router";
import { useCallback } from "react";
import { FileBrowser } from "../files/browser";
import { type FilesSearch, isStep } from "../files/search";

const route = getRouteApi("/shell/admins/trash");

export default function TrashPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = useCallback(
    (changes: Partial<FilesSearch>) =>
      navigate({ search: (old) => ({ ...old, ...changes }), replace: isStep(search, changes) }),
    [navigate, search],
  );
  const removed = search.state === "REMOVED";
  return (
    <FileBrowser
      title="Trash"
      search={{ view: "table", ...search }}
      change={change}
      states={["TRASHED", "REMOVED"]}
      tabs={[
        ["TRASHED", "By their owners"],
        ["REMOVED", "By admins"],
      ]}
      actions={["restore", "purge"]}
      remove="purge"
      countdown
      empty={
        removed
          ? {
              title: "Admins have removed nothing",
              text: "Files that an admin removes wait here, and can be restored until they are deleted for good.",
            }
          : {
              title: "The trash is empty",
              text: "Files that their owners delete wait here until they are deleted for good.",
            }
      }
    />
  );
}
