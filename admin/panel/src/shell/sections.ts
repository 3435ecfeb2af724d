// What the navigation holds, in its order: a page is added here and in routes.tsx.
import type { IconName } from "../ui/icon";

export interface NavigationItem {
  to:
    | "/"
    | "/reports"
    | "/files"
    | "/trash"
    | "/block-list"
    | "/users"
    | "/replication"
    | "/jobs"
    | "/alerts"
    | "/erasures"
    | "/audit";
  title: string;
  icon: IconName;
  /** After `g`. */
  key: string;
  /** Whether operators see it too. */
  operators: boolean;
}

export const NAVIGATION: readonly NavigationItem[] = [
  { to: "/", title: "Overview", icon: "overview", key: "o", operators: true },
  { to: "/reports", title: "Reports", icon: "reports", key: "r", operators: false },
  { to: "/files", title: "Files", icon: "files", key: "f", operators: false },
  { to: "/trash", title: "Trash", icon: "trash", key: "t", operators: false },
  { to: "/block-list", title: "Block list", icon: "blocked", key: "b", operators: false },
  { to: "/users", title: "Users", icon: "users", key: "u", operators: false },
  { to: "/replication", title: "Replication", icon: "replication", key: "c", operators: true },
  { to: "/jobs", title: "Jobs", icon: "jobs", key: "j", operators: true },
  { to: "/alerts", title: "Alerts", icon: "alerts", key: "a", operators: true },
  { to: "/erasures", title: "Erasures", icon: "erasures", key: "e", operators: true },
  { to: "/audit", title: "Audit", icon: "audit", key: "l", operators: false },
];
