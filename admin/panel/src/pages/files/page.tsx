// Everyone's files.
import { getRouteApi } from "@tanstack/react-router";
import { useCallback } from "react";
import { FileBrowser } from "./browser";
import { type FilesSearch, isStep } from "./search";

const route = getRouteApi("/shell/admins/files");

export default function FilesPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = useCallback(
    (changes: Partial<FilesSearch>) =>
      navigate({ search: (old) => ({ ...old, ...changes }), replace: isStep(search, changes) }),
    [navigate, search],
  );
  return (
    <FileBrowser
      title="Files"
      search={search}
      change={change}
      states={["ACTIVE", "PROCESSING", "REJECTED"]}
      actions={["trash", "purge"]}
      remove="trash"
      empty={{ title: "There are no files yet", text: "They show up here as soon as somebody uploads one." }}
    />
  );
}
