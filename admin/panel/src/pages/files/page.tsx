// Everyone's files.
import { getRouteApi } from "@tanstack/react-router";
import { useChange } from "../../ui/address";
import { FileBrowser } from "./browser";

const route = getRouteApi("/shell/admins/files");

export default function FilesPage() {
  const search = route.useSearch();
  return (
    <FileBrowser
      title="Files"
      search={search}
      change={useChange(search)}
      states={["ACTIVE", "PROCESSING", "REJECTED"]}
      remove="remove"
      empty={{ title: "There are no files yet", text: "They show up here as soon as somebody uploads one." }}
    />
  );
}
