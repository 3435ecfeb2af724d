// What waits to be deleted for good: by owners' hands, or removed by admins.
import { getRouteApi } from "@tanstack/react-router";
import { useChange } from "../../ui/address";
import { FileBrowser } from "../files/browser";

const route = getRouteApi("/shell/admins/trash");

export default function TrashPage() {
  const search = route.useSearch();
  const removed = search.state === "REMOVED";
  return (
    <FileBrowser
      title="Trash"
      search={{ view: "table", ...search }}
      change={useChange(search)}
      states={["TRASHED", "REMOVED"]}
      tabs={[
        ["TRASHED", "By their owners"],
        ["REMOVED", "By admins"],
      ]}
      remove="purge"
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
